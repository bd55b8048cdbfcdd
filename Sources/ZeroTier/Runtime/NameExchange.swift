// One question to one name server over the node's own stack: a datagram, or a stream if an answer was cut.
// Read first: RFC 5452 (what keeps others from answering), RFC 7766 section 8 (messages in a stream).

import NetPrimitives
import NetStack
import Synchronization
import ZeroTierNode

/// A question under way. Each step is taken under the node's lock, when something happened to its socket.
final class NameExchange: Sendable {
    private enum Phase: Sendable {
        case connecting
        case sending([UInt8])
        case receiving
    }

    let id: SocketID
    private let query: DNSQuery
    private let isStream: Bool
    private let phase: Mutex<Phase>
    // What has come of a stream: at most a length and as much as it says.
    private let received = Mutex<[UInt8]>([])

    /// Opens a socket of its own: another port for each question, connected, so that datagrams of others are dropped.
    init(
        _ query: DNSQuery, to question: NameLookup.Question, _ core: inout DriverCore, _ now: Now
    ) throws(ZeroTierError) {
        self.query = query
        isStream = question.isStream
        let bytes = query.encoded
        do throws(StackError) {
            if question.isStream {
                id = try core.openStream(to: question.server, from: nil, now: now)
                phase = Mutex(.connecting)
            } else {
                id = try core.openDatagram(connectedTo: question.server, now: now)
                phase = Mutex(.sending(bytes))
            }
        } catch {
            throw ZeroTierError(error, doing: "ask the name server \(question.server)")
        }
    }

    /// What the server says, with `.unrelated` if it cannot be reached; nil: nothing yet.
    func step(_ core: inout DriverCore, _ now: Now) throws(ZeroTierError) -> DNSAnswer? {
        while true {
            switch phase.withLock({ $0 }) {
            case .connecting:
                guard try isConnected(&core) else { return nil }
                let bytes = query.encoded
                go(to: .sending([UInt8(bytes.count >> 8), UInt8(bytes.count & 0xff)] + bytes))
            case .sending(let bytes):
                guard let count = try send(bytes, &core, now) else { return nil }
                go(to: count < bytes.count ? .sending(Array(bytes[count...])) : .receiving)
            case .receiving:
                guard let message = try receive(&core, now) else { return nil }
                let answer = DNSAnswerReader.read(message, for: query)
                if answer != .unrelated || isStream { return answer }
            }
        }
    }

    private func isConnected(_ core: inout DriverCore) throws(ZeroTierError) -> Bool {
        do throws(StackError) {
            return try core.established(id) != nil
        } catch {
            throw ZeroTierError(error)
        }
    }

    private func go(to next: Phase) { phase.withLock { $0 = next } }

    private func send(_ bytes: [UInt8], _ core: inout DriverCore, _ now: Now) throws(ZeroTierError) -> Int? {
        if isStream { return try core.streamWrite(id, bytes, from: 0, now: now) }
        return try core.datagramSend(id, bytes, now: now).map { _ in bytes.count }
    }

    // A whole message. Nil if there is none yet.
    private func receive(_ core: inout DriverCore, _ now: Now) throws(ZeroTierError) -> [UInt8]? {
        guard isStream else { return try core.datagramReceiveOrFail(id, now: now)?.bytes }
        while true {
            let wanted = received.withLock { received in
                received.count < 2 ? 2 - received.count : 2 + NameExchange.length(received) - received.count
            }
            if wanted == 0 { return received.withLock { Array($0[2...]) } }
            guard let bytes = try core.streamRead(id, upTo: wanted, now: now) else { return nil }
            // The stream ends early: that is no answer.
            if bytes.isEmpty { return [] }
            received.withLock { $0 += bytes }
        }
    }

    private static func length(_ bytes: [UInt8]) -> Int { Int(bytes[0]) << 8 | Int(bytes[1]) }
}

extension DriverCore {
    /// A datagram socket on any free port that only takes what comes from one endpoint.
    fileprivate mutating func openDatagram(connectedTo remote: SocketEndpoint, now: Now) throws(StackError) -> SocketID
    {
        let id = try node.stack.udpOpen(isIPv4: remote.address.isIPv4)
        do throws(StackError) {
            try node.stack.udpConnect(id, to: remote, now: now)
        } catch {
            node.stack.close(id, now: now)
            throw error
        }
        openSockets.insert(id)
        return id
    }

    fileprivate mutating func datagramSend(_ id: SocketID, _ bytes: [UInt8], now: Now) throws(ZeroTierError) -> Bool? {
        do throws(StackError) {
            try bytes.withBytes { (span) throws(StackError) in
                try node.stack.sendTo(id, span, to: nil, now: now)
            }
            return true
        } catch {
            if error == .wouldBlock { return nil }
            throw ZeroTierError(error)
        }
    }

    // Unlike elsewhere an error is the answer: nobody has to be waited for who is known not to be there.
    fileprivate mutating func datagramReceiveOrFail(_ id: SocketID, now: Now) throws(ZeroTierError) -> Datagram? {
        do throws(StackError) {
            var bytes = [UInt8](repeating: 0, count: try node.stack.nextDatagramLength(id))
            let received = try bytes.withMutableBytes { (span) throws(StackError) in
                try node.stack.receiveFrom(id, into: &span, now: now)
            }
            return Datagram(bytes: bytes, source: received.source)
        } catch {
            if error == .wouldBlock { return nil }
            throw ZeroTierError(error)
        }
    }
}
