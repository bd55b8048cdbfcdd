// Floods of correctly encoded hostile packets, for namespaces of their own: Tests/Floods/run starts it.
//
//   flood identities COUNT FILE                     makes valid identities, one a line
//   flood serve|send ...                            the honest pair: Honest.swift
//   flood FORM NAME=VALUE...                        floods; Settings.swift has the names, Forms.swift the forms
//
// A flood says "ready", then takes orders from standard input, and ends with it:
//
//   flood SECONDS RATE     packets a second, 0 for all that the processor gives: "sent PACKETS BYTES SECONDS PROCESSOR"
//   closed SECONDS RATE    the same packets, to a port where nobody listens

import CFlood
import Glibc
import NetPrimitives
import ZeroTier

private func makeIdentities(_ count: Int, _ file: String) async throws {
    let texts = await withTaskGroup(of: String.self) { group in
        for _ in 0..<count { group.addTask { ZeroTier.Identity.generate().secretText ?? "" } }
        var texts: [String] = []
        for await text in group { texts.append(text) }
        return texts
    }
    try writeFile(file, Array((texts.joined(separator: "\n") + "\n").utf8))
}

/// One order: sends for a while.
private func send(_ forms: inout Forms, _ form: Forms.Kind, _ burst: inout Burst, seconds: Double, rate: Double) {
    let start = cflood_nanoseconds()
    let processor = cflood_processor_nanoseconds()
    let end = start + UInt64(seconds * 1e9)
    var made = 0.0
    _ = burst.take()
    while true {
        let now = cflood_nanoseconds()
        guard now < end else { break }
        if rate > 0 {
            let due = Double(now - start) * 1e-9 * rate
            while made < due {
                forms.append(form, to: &burst)
                made += 1
            }
            burst.flush()
            cflood_sleep(1_000_000)
        } else {
            repeat { forms.append(form, to: &burst) } while !burst.isFull
            burst.flush()
        }
    }
    let sent = burst.take()
    let took = Double(cflood_nanoseconds() - start) * 1e-9
    let used = Double(cflood_processor_nanoseconds() - processor) * 1e-9
    say("sent \(sent.packets) \(sent.bytes) \(took) \(used)")
}

private func flood(_ name: String, _ words: [String]) async throws {
    guard let form = Forms.Kind(rawValue: name) else { throw FloodFailure("no form \(name)") }
    let settings = try FloodSettings(words)
    var sessions: [Session] = []
    if let standing = form.standing {
        let known = settings.identities.prefix(form.sessionCount)
        let own = standing == .root ? [try settings.hostileRoot()] : Array(known)
        guard !own.isEmpty else { throw FloodFailure("identities= is missing") }
        for identity in own { sessions.append(try await Session(standing, settings, identity)) }
    }
    var forms = try Forms(form, settings, sessions)
    var burst = try Burst()
    say("ready")
    while let line = readLine() {
        let order = line.split(separator: " ").map(String.init)
        guard order.count == 3, let seconds = Double(order[1]), let rate = Double(order[2]), seconds <= 600 else {
            break
        }
        burst.portInstead = order[0] == "closed" ? 9 : nil
        send(&forms, form, &burst, seconds: seconds, rate: rate)
    }
    for session in sessions { await session.end() }
}

let words = Array(CommandLine.arguments.dropFirst())
do {
    switch (words.first, words.count) {
    case ("identities", 3): try await makeIdentities(Int(words[1]) ?? 0, words[2])
    case ("serve", _), ("send", _): try await Honest.run(words[0], Array(words.dropFirst()))
    case (let form?, _): try await flood(form, Array(words.dropFirst()))
    default: throw FloodFailure("what? main.swift says")
    }
} catch {
    say("flood: \(error)")
    exit(1)
}
