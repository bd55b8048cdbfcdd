// Descriptors: small numbers from 0, the lowest free one first. Each names one socket.

import Synchronization

/// Which numbers are taken. A number stays taken until the last call that uses its socket has returned.
final class DescriptorNumbers: Sendable {
    private struct State {
        /// Bit n % 64 of word n / 64 is set while n is taken.
        var words: [UInt64] = []
        /// No word before this one has a free number.
        var firstCandidate = 0
    }

    private let state = Mutex(State())
    let limit: Int

    init(limit: Int) { self.limit = max(0, min(limit, SocketLimits.descriptors)) }

    /// The lowest free number; nil if the limit is reached.
    func take() -> Int32? {
        state.withLock { state in
            var index = state.firstCandidate
            while index < state.words.count, state.words[index] == .max { index += 1 }
            let bit = index < state.words.count ? (~state.words[index]).trailingZeroBitCount : 0
            let number = index * 64 + bit
            guard number < limit else { return nil }
            if index == state.words.count { state.words.append(0) }
            state.words[index] |= 1 << UInt64(bit)
            state.firstCandidate = index
            return Int32(number)
        }
    }

    func giveBack(_ number: Int32) {
        state.withLock { state in
            let index = Int(number) >> 6
            guard state.words.indices.contains(index) else { return }
            state.words[index] &= ~(1 << UInt64(number & 63))
            state.firstCandidate = min(state.firstCandidate, index)
        }
    }
}
