// Numbers for the addresses of this machine. A socket bound to every address receives at all of them; the number says at which,
// so that the answer leaves from there: a firewall, and the peer, take it only from the address that was asked.
// Read first: ip(7) and ipv6(7), IP_PKTINFO; Docs/decisions/0009-one-socket-many-addresses.md.

package import NetPrimitives
import Synchronization

/// The addresses at which datagrams arrived. A number stays an address's for the life of the port. Shared by the thread that takes
/// datagrams and the holder of the node's lock.
package final class LocalAddresses: Sendable {
    /// The first number; those below are sockets'.
    package static let firstNumber: Int32 = 1024
    /// More addresses than that have no number: what comes there is answered from an address that the kernel chooses.
    package static let limit = 256

    private struct State {
        var known: [IPAddress] = []
        var refused: Set<IPAddress> = []
    }

    private let state = Mutex(State())
    // Counts changes of what is refused, so that a receiver which remembers a number asks again.
    private let changes = Atomic<Int>(0)

    package init() {}

    /// Which numbers a remembered answer belongs to.
    package var generation: Int { changes.load(ordering: .acquiring) }

    /// What an address that something arrived at means.
    package enum Meaning: Sendable, Equatable {
        /// `PhysicalPath.localSocket` of what arrived there.
        case number(Int32)
        /// The table is full.
        case unnumbered
        /// It belongs to an interface that the node does not use.
        case refused
    }

    /// The number of an address, made if it is new.
    package func meaning(of address: IPAddress) -> Meaning {
        state.withLock { state in
            if state.refused.contains(address) { return .refused }
            if let index = state.known.firstIndex(of: address) {
                return .number(LocalAddresses.firstNumber + Int32(index))
            }
            guard state.known.count < LocalAddresses.limit else { return .unnumbered }
            state.known.append(address)
            return .number(LocalAddresses.firstNumber + Int32(state.known.count - 1))
        }
    }

    /// The address with a number; nil if no such number was given.
    package func address(_ number: Int32) -> IPAddress? {
        state.withLock { state in
            let index = Int(number) - Int(LocalAddresses.firstNumber)
            return state.known.indices.contains(index) ? state.known[index] : nil
        }
    }

    /// The numbers of the addresses for which `condition` holds.
    package func numbers(where condition: (IPAddress) -> Bool) -> [Int32] {
        state.withLock { state in
            state.known.indices.filter { condition(state.known[$0]) }.map { LocalAddresses.firstNumber + Int32($0) }
        }
    }

    /// What arrives at these is dropped.
    package func refuse(_ addresses: Set<IPAddress>) {
        state.withLock { $0.refused = addresses }
        changes.add(1, ordering: .releasing)
    }
}
