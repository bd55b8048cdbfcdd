//  libFuzzer's entry: one input to the body that the environment names. Built and run by `Fuzz/run`.

import FuzzBodies

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The body that FUZZ_TARGET names, found once.
private let target: FuzzTarget? = {
    // Sound: the result of getenv is a C string that nobody changes in this program.
    guard let name = unsafe getenv("FUZZ_TARGET") else { return nil }
    return FuzzTarget.named(unsafe String(cString: name))
}()

/// Runs one input. libFuzzer lends `data` for the time of the call.
@c(LLVMFuzzerTestOneInput)
public func runOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    guard let target else {
        print("FUZZ_TARGET must be one of: \(FuzzTarget.all.map(\.name).joined(separator: " "))")
        exit(2)
    }
    // Sound: libFuzzer guarantees `size` readable bytes; they are copied before anything else happens.
    target.body(unsafe Array(UnsafeBufferPointer(start: data, count: size)))
    return 0
}
