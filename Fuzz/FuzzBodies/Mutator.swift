//  Mutations by seed, for the replay in ordinary tests: what libFuzzer does, without feedback, the same on every machine.

import NetPrimitives

/// A source of mutated inputs.
package struct Mutator: Sendable {
    private var random: RandomSource
    private let limit: Int

    /// Mutations by `seed`; no input is longer than `limit`.
    package init(seed: UInt64, limit: Int) {
        random = RandomSource(seed: seed)
        self.limit = limit
    }

    /// One input out of a corpus, changed in one to four places. An empty corpus gives random bytes.
    package mutating func next(from corpus: [[UInt8]]) -> [UInt8] {
        guard !corpus.isEmpty else { return random.bytes(random.next(below: min(limit, 64) + 1)) }
        var bytes = corpus[random.next(below: corpus.count)]
        for _ in 0...random.next(below: 4) { change(&bytes, corpus) }
        return Array(bytes.prefix(limit))
    }

    private static let interesting: [UInt8] = [0, 1, 2, 0x0f, 0x10, 0x1f, 0x40, 0x7f, 0x80, 0xfe, 0xff]

    private mutating func change(_ bytes: inout [UInt8], _ corpus: [[UInt8]]) {
        guard !bytes.isEmpty else {
            bytes = random.bytes(1 + random.next(below: 16))
            return
        }
        let place = random.next(below: bytes.count)
        switch random.next(below: 8) {
        case 0: bytes[place] ^= 1 << UInt8(random.next(below: 8))
        case 1: bytes[place] = UInt8(truncatingIfNeeded: random.nextUInt32())
        case 2: bytes[place] = Mutator.interesting[random.next(below: Mutator.interesting.count)]
        case 3: bytes[place] &+= UInt8(random.next(below: 32)) &- 16
        case 4: bytes.removeSubrange(place..<min(bytes.count, place + 1 + random.next(below: 16)))
        case 5: bytes.insert(contentsOf: random.bytes(1 + random.next(below: 8)), at: place)
        case 6:
            let length = min(bytes.count - place, 1 + random.next(below: 32))
            bytes.insert(contentsOf: bytes[place..<place + length], at: random.next(below: bytes.count + 1))
        default:
            let other = corpus[random.next(below: corpus.count)]
            bytes = Array(bytes.prefix(place)) + other.dropFirst(random.next(below: other.count + 1))
        }
    }
}
