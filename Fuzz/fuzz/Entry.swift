//  libFuzzer's entry: one input to the body that the environment names. Built and run by `Fuzz/run`; `Fuzz/seed` has it
//  write the inputs to begin with.

import FuzzBodies
import Glibc

private func environment(_ name: String) -> String? {
    // Sound: the result of getenv is a C string, and nobody changes the environment of this program.
    guard let value = unsafe getenv(name) else { return nil }
    return unsafe String(cString: value)
}

/// The body that FUZZ_TARGET names, found once.
private let target = environment("FUZZ_TARGET").flatMap { FuzzTarget.named($0) }

private func write(_ seed: FuzzSeed, below folder: String) {
    // Sound: the texts live through the calls that read them, the file is open between the two calls, and the array lives through the call that reads it.
    _ = unsafe mkdir("\(folder)/\(seed.target)", 0o755)
    guard let file = unsafe fopen("\(folder)/\(seed.target)/\(seed.name)", "wb") else {
        print("cannot write \(seed.target)/\(seed.name)")
        exit(1)
    }
    _ = unsafe fwrite(seed.bytes, 1, seed.bytes.count, file)
    _ = unsafe fclose(file)
}

/// Runs one input. libFuzzer lends `data` for the time of the call.
@c(LLVMFuzzerTestOneInput)
public func runOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    if let folder = environment("FUZZ_SEEDS") {
        for seed in FuzzSeed.all { write(seed, below: folder) }
        // Past libFuzzer's handler, which takes an exit for a finding.
        _exit(0)
    }
    guard let target else {
        print("FUZZ_TARGET must be one of: \(FuzzTarget.all.map(\.name).joined(separator: " "))")
        exit(2)
    }
    // Sound: libFuzzer guarantees `size` readable bytes; they are copied before anything else happens.
    target.body(unsafe Array(UnsafeBufferPointer(start: data, count: size)))
    return 0
}
