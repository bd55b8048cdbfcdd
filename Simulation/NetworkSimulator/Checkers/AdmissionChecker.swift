//  Who may talk to whom on a private network: known from what its controller acknowledged, never from what a node believes. Asked
//  at every frame that a node took. Its sender has to be a member. Its receiver has to have been one: who was let out keeps its
//  configuration, as in the field, and takes what others still send to it. They refuse what it sends.

package import NetPrimitives
package import ZeroTierWire

/// The members of one private network, as its administrator knows them.
package struct AdmissionChecker: Sendable {
    /// How long after the acknowledgement that somebody is out a frame may still pass.
    package let grace: Duration
    private var inside: [Address: MonotonicInstant] = [:]
    private var outside: [Address: MonotonicInstant] = [:]
    /// Frames between two members.
    package private(set) var frames = 0

    package init(grace: Duration) { self.grace = grace }

    /// Somebody is about to be let in: that may become true before it is acknowledged.
    package mutating func letIn(_ member: Address, at time: MonotonicInstant) {
        inside[member] = inside[member] ?? time
    }

    /// It is acknowledged that somebody is out.
    package mutating func letOut(_ member: Address, at time: MonotonicInstant) {
        inside[member] = nil
        outside[member] = time
    }

    /// Why a frame ought not to have been taken; nil if it may be.
    mutating func finding(from source: Address?, to receiver: Address, at time: MonotonicInstant) -> String? {
        frames += 1
        if inside[receiver] == nil, outside[receiver] == nil {
            return "\(receiver) took a frame, and was never a member"
        }
        guard let source, inside[source] == nil else { return nil }
        if let left = outside[source] {
            if time <= left + grace { return nil }
            // Who was let in afterwards hears of it when it is configured.
            if let entered = inside[receiver], entered >= left, time <= entered + grace { return nil }
        }
        return "\(receiver) took a frame of \(source), which is no member"
    }
}

extension Simulation {
    /// A host took a frame out of a datagram. A packet that had waited, for its sender's identity or for a configuration, comes with
    /// a datagram of a root or of the controller; then only the receiver is asked about.
    func judgeFrame(of datagram: Datagram, at host: SimulatedHost) {
        guard admission != nil else { return }
        let source = datagram.bytes.withBytes { PacketHeader($0, length: $0.byteCount)?.source }
        let isMember = hosts.contains { !$0.isRoot && $0.store == nil && $0.identity.address == source }
        let finding = admission?.finding(from: isMember ? source : nil, to: host.identity.address, at: time)
        if let finding { fail(finding) }
    }
}
