//  How a node is emptied: one order for driver, simulator, tests, fuzz bodies and benchmarks, so that what ships is what is
//  simulated. Read first: Docs/decisions/0012-one-pump.md.
//
//      var turn = PumpTurn()
//      while let output = node.next(in: &turn, into: &slab, now: now) { send it, tell it or do it }
//      if turn.hasMore { another turn, now or when others had theirs }
//
//  An owner takes a turn after each call into the node, and after whatever it did to the node while it took the output. Then it
//  arms one timer at `nextDeadline`.

package import NetPrimitives
package import ZeroTierController
package import ZeroTierPeers

/// What a node has for its owner.
package enum NodeOutput: Sendable {
    /// The slab has datagrams that are to leave now.
    case datagrams
    /// A change worth telling.
    case event(NodeEvent)
    /// Work that costs more than a packet may; its result comes back by `Node.complete`.
    case job(PeerJob)
    /// Work of the controller: one thread writes, in order, another may sign.
    case controllerJob(ControllerJob)
}

/// One turn of the pump: at most one slab, then everything that is to be told, then all work to be done elsewhere.
package struct PumpTurn: Sendable {
    /// Whether the owner can send. If not, the slab is not touched: it may hold what is still to be sent.
    package let transmits: Bool
    /// The slab had no room left for every packet: another turn may find more to send at once.
    package internal(set) var hasMore = false
    var hasTransmitted = false

    package init(transmits: Bool = true) { self.transmits = transmits }
}

extension Node {
    /// The next piece of a turn; nil ends it. The owner may call into the node between two pieces.
    package mutating func next(
        in turn: inout PumpTurn, into slab: inout TransmitBatch, now: Now
    ) -> NodeOutput? {
        if !turn.hasTransmitted {
            turn.hasTransmitted = true
            if turn.transmits {
                slab.clear()
                transmit(into: &slab, now: now)
                turn.hasMore = slab.freeBytes < NodeLimits.largestPacketBytes
                if !slab.isEmpty { return .datagrams }
            }
        }
        if let event = nextEvent() { return .event(event) }
        if let job = peers.nextJob() { return .job(job) }
        if controller != nil, let job = controller!.nextJob(now: now) { return .controllerJob(job) }
        return nil
    }
}
