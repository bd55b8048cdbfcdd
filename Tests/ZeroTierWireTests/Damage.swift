// What every codec's bytes go through: all truncations, all single-bit flips.

import NetPrimitives
import Testing

@testable import ZeroTierWire

/// How much of what it reads a codec keeps.
enum Fidelity {
    /// All: what was read is written as the same bytes.
    case exact
    /// All but what follows its last field: the bytes written are the beginning of those read.
    case beginning
    /// The format has bytes that nobody keeps (extensions, unknown kinds, spellings): what is written is read as the same
    /// value.
    case value
}

/// Makes damaged bytes.
enum Damage {
    /// The bits to flip of so many bytes: all, or a random sample that is the same in every run.
    static func bits(of count: Int, sample: Int? = nil) -> [Int] {
        guard let sample, sample < count * 8 else { return Array(0..<count * 8) }
        var random = RandomSource(seed: UInt64(count))
        var chosen: Set<Int> = []
        while chosen.count < sample { chosen.insert(random.next(below: count * 8)) }
        return chosen.sorted()
    }

    /// The bytes with one bit flipped.
    static func flip(_ bit: Int, of bytes: [UInt8]) -> [UInt8] {
        var damaged = bytes
        damaged[bit / 8] ^= 1 << UInt8(bit % 8)
        return damaged
    }
}

/// Decodes every truncation (to one of `lengths`; nil: all) and every single-bit flip (of `bits`; nil: all) of `bytes`. Each
/// must be refused with a `WireError`, or yield a value of which as much is written as the codec is said to keep, and which
/// is read again from what was written; nothing may trap. `unread`: how many flips, exactly, are lost in place, being unread.
/// Returns how many were refused.
@discardableResult
func survivesDamage<Value: Equatable>(
    _ bytes: [UInt8], _ fidelity: Fidelity = .value, lengths: [Int]? = nil, bits: [Int]? = nil, unread: Int? = nil,
    decode: ([UInt8]) throws -> Value, encode: (Value) -> [UInt8], location: SourceLocation = #_sourceLocation
) throws -> Int {
    var refused = 0
    var lost = 0
    // No #expect inside: a hundred thousand of them take longer than the codecs.
    func check(_ damaged: [UInt8], _ what: @autoclosure () -> String) {
        func fail(_ reason: String) { Issue.record("\(what()): \(reason)", sourceLocation: location) }
        do {
            let value = try decode(damaged)
            let written = encode(value)
            guard written != damaged else { return }
            if written.count == bytes.count, damaged.count == bytes.count { lost += 1 }
            switch fidelity {
            case .exact: return fail("it is not written as it was read")
            case .beginning where !damaged.starts(with: written): return fail("more than the end is lost")
            case .beginning, .value: break
            }
            guard let again = try? decode(written), again == value, encode(again) == written else {
                return fail("it is not read as it was written")
            }
        } catch is WireError {
            refused += 1
        } catch {
            fail("\(error)")
        }
    }
    for length in lengths ?? Array(0..<bytes.count) { check(Array(bytes[..<length]), "cut to \(length)") }
    for bit in bits ?? Damage.bits(of: bytes.count) { check(Damage.flip(bit, of: bytes), "bit \(bit)") }
    if let unread { #expect(lost == unread, sourceLocation: location) }
    return refused
}

/// As above, for the payload of a verb, which must also be written as it is when it is whole.
@discardableResult
func survivesDamage<Value: WirePayload & Equatable>(
    _ type: Value.Type, _ bytes: [UInt8], _ fidelity: Fidelity = .value, bits: [Int]? = nil, unread: Int? = nil,
    location: SourceLocation = #_sourceLocation
) throws -> Int {
    #expect(try Value(decoding: bytes).encoded == bytes, sourceLocation: location)
    return try survivesDamage(
        bytes, fidelity, bits: bits, unread: unread, decode: { try Value(decoding: $0) }, encode: { $0.encoded },
        location: location)
}

/// What the payload of any verb is read as, and the bytes that this is written as.
struct ReadPayload: Equatable {
    let value: [AnyHashable]
    let encoded: [UInt8]

    private init(_ value: some WirePayload & Hashable) {
        self.value = [AnyHashable(value)]
        encoded = value.encoded
    }

    /// Reads a payload by its verb; an OK by the verb that it answers, whose reply may be nothing but bytes.
    init(_ verb: Verb, _ bytes: [UInt8]) throws {
        switch verb {
        case .hello: self.init(try Hello(decoding: bytes))
        case .error: self.init(try ErrorReply(decoding: bytes))
        case .whois: self.init(try Whois(decoding: bytes))
        case .rendezvous: self.init(try Rendezvous(decoding: bytes))
        case .frame: self.init(try Frame(decoding: bytes))
        case .extendedFrame: self.init(try ExtendedFrame(decoding: bytes))
        case .multicastLike: self.init(try MulticastLike(decoding: bytes))
        case .networkCredentials: self.init(try NetworkCredentials(decoding: bytes))
        case .networkConfigRequest: self.init(try NetworkConfigRequest(decoding: bytes))
        case .networkConfig: self.init(try NetworkConfigChunk(decoding: bytes))
        case .multicastGather: self.init(try MulticastGather(decoding: bytes))
        case .multicastFrame: self.init(try MulticastFrame(decoding: bytes))
        case .pushDirectPaths: self.init(try PushDirectPaths(decoding: bytes))
        case .userMessage: self.init(try UserMessage(decoding: bytes))
        case .ok: try self.init(reply: bytes)
        default: self.init(Echo(bytes))
        }
    }

    private init(reply bytes: [UInt8]) throws {
        let (header, body) = try OKHeader.split(bytes)
        let read: ReadPayload
        switch header.inReplyTo {
        case .hello: read = ReadPayload(try HelloReply(decoding: body))
        case .whois: read = ReadPayload(try WhoisReply(decoding: body))
        case .networkConfigRequest: read = ReadPayload(try NetworkConfigChunk(decoding: body))
        case .multicastGather: read = ReadPayload(try MulticastGatherReply(decoding: body))
        case .multicastFrame: read = ReadPayload(try MulticastFrameReply(decoding: body))
        default: read = ReadPayload(Echo(body))
        }
        value = [AnyHashable(header)] + read.value
        encoded = header.payload(read.encoded)
    }

    /// How faithful the codec of a verb's payload is.
    static func fidelity(of verb: Verb) -> Fidelity {
        switch verb {
        case .frame, .extendedFrame, .networkConfig, .echo, .userMessage: .exact
        case .multicastLike, .whois, .error: .beginning
        default: .value
        }
    }
}
