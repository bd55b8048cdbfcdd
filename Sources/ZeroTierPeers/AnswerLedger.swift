//  The guard at the door out. A datagram's source address may be anybody's. Until an endpoint has answered something that we sent
//  to just there, it never gets more bytes in answer than came from it.
//
//      confirmed: a path of the peer, or for what was relayed a path of a root: no limit here
//      all others: bytes out <= bytes in
//
//  What a node sends to addresses that a peer or a root names is no answer: it is paid from what came from who named them
//  (PeerEngine+Attempts). What it sends by its own wish, to the roots of its worlds and where its paths led, is bounded by time.

import NetPrimitives
import ZeroTierWire

/// What endpoints that proved nothing sent, and what they were answered.
struct AnswerLedger: Sendable {
    private struct Account: Sendable {
        var endpoint: SocketEndpoint
        /// Bytes that came and were not answered yet.
        var credit: Int
        var touched: MonotonicInstant
    }

    // Two places for each hash; made at the first use. An account that gives way loses its credit, so that forgetting never
    // gives anything away.
    private var accounts: [Account?] = []
    private let seed: UInt64
    /// Bytes that came from such endpoints, and that they were sent, since the start.
    private(set) var bytesIn: UInt64 = 0
    private(set) var bytesOut: UInt64 = 0

    init(seed: UInt64) { self.seed = seed }

    /// A datagram came from an endpoint that proved nothing.
    mutating func receive(_ byteCount: Int, from endpoint: SocketEndpoint, _ now: MonotonicInstant) {
        if accounts.isEmpty { accounts = Array(repeating: nil, count: ProtocolLimits.answerAccounts) }
        bytesIn &+= UInt64(bitPattern: Int64(byteCount))
        let first = place(of: endpoint)
        let index = index(of: endpoint) ?? older(first, first ^ 1)
        var credit = byteCount
        if let account = accounts[index], account.endpoint == endpoint,
            now - account.touched < ProtocolLimits.answerCreditLife
        {
            credit = min(account.credit + byteCount, ProtocolLimits.answerCredit)
        }
        accounts[index] = Account(endpoint: endpoint, credit: credit, touched: now)
    }

    /// A datagram that was counted when it came comes in once more, out of a queue. It pays once; what it paid for stays spent.
    mutating func retract(_ byteCount: Int, from endpoint: SocketEndpoint, _ now: MonotonicInstant) {
        receive(-byteCount, from: endpoint, now)
    }

    /// Whether so many bytes may go there; they are counted if so.
    mutating func allow(_ byteCount: Int, to endpoint: SocketEndpoint, _ now: MonotonicInstant) -> Bool {
        guard credit(of: endpoint, now) >= byteCount, let index = index(of: endpoint) else { return false }
        accounts[index]?.credit -= byteCount
        bytesOut &+= UInt64(byteCount)
        return true
    }

    /// Takes what an endpoint may still be answered, so many bytes at most: it pays for something else.
    mutating func take(atMost byteCount: Int, of endpoint: SocketEndpoint, _ now: MonotonicInstant) -> Int {
        let taken = min(byteCount, credit(of: endpoint, now))
        return allow(taken, to: endpoint, now) ? taken : 0
    }

    /// Bytes that may go there.
    func credit(of endpoint: SocketEndpoint, _ now: MonotonicInstant) -> Int {
        guard let index = index(of: endpoint), let account = accounts[index],
            now - account.touched < ProtocolLimits.answerCreditLife
        else { return 0 }
        return max(0, account.credit)
    }

    private func place(of endpoint: SocketEndpoint) -> Int {
        let hash = mix(endpoint.address.high ^ mix(endpoint.address.low ^ mix(seed ^ UInt64(endpoint.port))))
        return Int(hash % UInt64(accounts.count))
    }

    private func index(of endpoint: SocketEndpoint) -> Int? {
        guard !accounts.isEmpty else { return nil }
        let first = place(of: endpoint)
        if accounts[first]?.endpoint == endpoint { return first }
        return accounts[first ^ 1]?.endpoint == endpoint ? first ^ 1 : nil
    }

    private func older(_ first: Int, _ second: Int) -> Int {
        guard let one = accounts[first] else { return first }
        guard let other = accounts[second] else { return second }
        return one.touched <= other.touched ? first : second
    }
}
