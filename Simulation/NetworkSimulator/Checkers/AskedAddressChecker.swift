//  Who is asked at one of several addresses answers from there. A firewall before the asker lets nothing else in, and the asker
//  itself takes nothing else.

import NetPrimitives

/// What leaves for the sender of a datagram while its receiver, a host with several addresses, takes it in.
struct AskedAddressChecker {
    private let asker: SocketEndpoint
    private let asked: IPAddress
    private var hasAnswered = false
    private var other: IPAddress?

    /// Nil where there is nothing to confuse: the host has one address of the family, or a stranger plays tricks.
    init?(_ datagram: Datagram, _ host: SimulatedHost) {
        asker = datagram.source
        asked = datagram.destination.address
        let isIPv4 = asked.isIPv4
        guard host.interfaces.count > 1, !datagram.isForged,
            host.interfaces.count(where: { $0.address.isIPv4 == isIPv4 }) > 1
        else { return nil }
        host.askedAddresses[asker, default: []].insert(asked)
    }

    /// A datagram leaves.
    mutating func note(from source: IPAddress, to destination: SocketEndpoint) {
        guard destination == asker else { return }
        if source == asked { hasAnswered = true } else { other = source }
    }

    /// What is wrong when all has left; `isAnswered`: there was an answer, as it must be.
    func finding(_ host: SimulatedHost) -> (text: String?, isAnswered: Bool) {
        guard !hasAnswered, let other, host.askedAddresses[asker]?.contains(other) != true else {
            return (nil, hasAnswered)
        }
        return ("\(host.name) was asked at \(asked) by \(asker) and answered from \(other)", false)
    }
}

extension Simulation {
    /// A datagram has been taken in, and what it caused has left.
    func endAnswer(of host: SimulatedHost) {
        guard let (text, isAnswered) = answering?.finding(host) else { return }
        answering = nil
        if let text { fail(text) }
        if isAnswered { answersChecked += 1 }
    }
}
