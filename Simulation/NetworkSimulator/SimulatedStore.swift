//  The disk of a controller's host: slow, now and then full, and what it has written outlives the node.

package import NetPrimitives
package import ZeroTierController
import ZeroTierNode
import ZeroTierWire

/// The records of one controller.
package struct SimulatedStore: Sendable {
    private var networks: [NetworkID: [UInt8]] = [:]
    private var members: [NetworkID: [Address: [UInt8]]] = [:]
    /// One commit in so many is refused; 0 for none.
    package var refusesOneIn = 0

    package init() {}

    mutating func apply(_ writes: [RecordWrite]) {
        for write in writes {
            switch write {
            case .putNetwork(let id, let bytes): networks[id] = bytes
            case .putMember(let id, let member, let bytes): members[id, default: [:]][member] = bytes
            case .removeMember(let id, let member): members[id]?[member] = nil
            case .removeNetwork(let id):
                networks[id] = nil
                members[id] = nil
            }
        }
    }

    /// What a start reads.
    var records: [RecordWrite] {
        networks.keys.sorted().flatMap { id -> [RecordWrite] in
            let ofNetwork = members[id] ?? [:]
            return [.putNetwork(id, networks[id] ?? [])]
                + ofNetwork.keys.sorted().map { .putMember(id, $0, ofNetwork[$0] ?? []) }
        }
    }
}

extension Simulation {
    /// The host's node gets its controller, with what its disk has.
    func startController(of host: SimulatedHost) {
        guard let store = host.store else { return }
        do {
            try host.node.enableController(store.records, now: host.clock(time))
        } catch {
            fail("\(host.name) cannot read what it wrote: \(error)")
        }
    }

    /// An administrator changes something. `host.answers` has the end of it, by the number that this gives; nil if it is
    /// refused at once.
    package func administer(
        _ host: SimulatedHost,
        _ body: (inout ControllerEngine, AdministrationTicket, Now) throws(ControllerError) -> Void
    ) -> UInt64? {
        guard host.isRunning else { return nil }
        host.lastAdministration += 1
        let (number, now) = (host.lastAdministration, host.clock(time))
        defer { drain(host) }
        do throws(ControllerError) {
            let begun: Void? = try host.node.administer(now: now) { (engine) throws(ControllerError) in
                try body(&engine, AdministrationTicket(number), now)
            }
            return begun == nil ? nil : number
        } catch {
            note("\(host.name) refuses a change: \(error)")
            return nil
        }
    }

    /// The store writes after a while and says so after another one: a node may die in between. Signatures take their time, one
    /// after the other.
    func begin(_ job: ControllerJob, on host: SimulatedHost) {
        switch job {
        case .commit(let writes, let ticket):
            let isRefused =
                host.store.map { $0.refusesOneIn > 0 && storeRandom.next(below: $0.refusesOneIn) == 0 } ?? true
            let written = time + .microseconds(200 + storeRandom.next(below: 20_000))
            if !isRefused { schedule(.storeWrite(host: host.index, epoch: host.epoch, writes), at: written) }
            schedule(
                .commitDone(host: host.index, epoch: host.epoch, ticket, isRefused: isRefused),
                at: written + .microseconds(storeRandom.next(below: 20_000)))
        case .sign(let job):
            host.signerFreeAt = max(host.signerFreeAt, time) + .microseconds(200)
            schedule(.signed(host: host.index, epoch: host.epoch, job), at: host.signerFreeAt)
        }
    }

    func finishCommit(of host: SimulatedHost, _ ticket: ControllerTicket, isRefused: Bool) {
        host.node.complete(ticket, failure: isRefused ? "the disk is full" : nil, now: host.clock(time))
        drain(host)
    }

    func finish(_ job: SigningJob, of host: SimulatedHost) {
        host.node.complete(job.run(), now: host.clock(time))
        drain(host)
    }
}
