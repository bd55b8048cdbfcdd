//  The controller of this node's own networks: the one door for those who ask, and the ways out.
//  Read first: Docs/decisions/0030-the-controller.md.

package import NetPrimitives
package import ZeroTierController
import ZeroTierEthernet
import ZeroTierPeers
package import ZeroTierWire

extension Node {
    /// Gives the node a controller with the records of a store, networks before their members. Does nothing but switch it on
    /// if there is one already. Throws what is wrong with a record: then there is none.
    package mutating func enableController(
        _ stored: [RecordWrite], configuration: ControllerConfiguration = ControllerConfiguration(), now: Now
    ) throws(WireError) {
        if controller == nil {
            var engine = ControllerEngine(
                identity: identity, configuration: configuration, random: controllerRandom.fork(), now: now)
            for record in stored { try engine.load(record) }
            engine.resume(now: now)
            for identity in engine.provenIdentities { peers.trust(identity) }
            controller = consume engine
        }
        setController(true, now: now)
    }

    /// Answers those who ask for this node's networks, or no longer. What is under way is finished.
    package mutating func setController(_ isOn: Bool, now: Now) {
        isController = isOn && controller != nil
        ethernet.setController(isController, now: now)
        settle(now: now)
    }

    /// Lends the controller to an administrator; nil if there is none, or it is switched off.
    package mutating func administer<Result>(
        now: Now, _ body: (inout ControllerEngine) throws(ControllerError) -> Result
    ) throws(ControllerError) -> Result? {
        guard isController, controller != nil else { return nil }
        let result = try body(&controller!)
        settle(now: now)
        return result
    }

    /// Gives the end of a commit. `failure`: the store took nothing, and why.
    package mutating func complete(_ ticket: ControllerTicket, failure: String?, now: Now) {
        if controller != nil { controller!.complete(ticket, failure: failure, now: now) }
        settle(now: now)
    }

    /// Gives what was signed.
    package mutating func complete(_ result: SigningResult, now: Now) {
        if controller != nil { controller!.complete(result, now: now) }
        settle(now: now)
    }

    // MARK: In

    /// A request of another node. False: there is no controller to take it.
    mutating func receiveRequest(_ packet: OpenedPacket, _ payload: [UInt8], _ now: Now) -> Bool {
        guard isController, controller != nil, let identity = peers.identity(of: packet.source) else { return false }
        controller!.receive(payload, from: identity, packetID: packet.packetID, now: now)
        return true
    }

    /// This node's own request, as a member of one of its networks.
    mutating func receiveLocalRequest(_ id: NetworkID, _ metadata: [UInt8], _ now: Now) {
        guard isController, controller != nil else { return ethernet.receiveLocalFailure(id, .notFound) }
        controller!.receiveLocal(id, metadata: metadata, now: now)
    }

    // MARK: Out

    /// Does what the controller has to be done at once. False if there was nothing. There is a controller: most nodes have none,
    /// and who calls this for each batch asks first.
    mutating func settleController(_ now: Now) -> Bool {
        var hasActed = false
        while let effect = controller!.nextEffect() {
            hasActed = true
            switch effect {
            case .send(let verb, let payload, let destination):
                peers.send(verb, payload, to: destination, compress: verb != .error, now: now)
            case .authorise(let member, let id): ethernet.authorise(member, on: id, now: now)
            case .configureSelf(let config): ethernet.receiveLocalConfiguration(config, now: now)
            case .refuseSelf(let id, .notFound): ethernet.receiveLocalFailure(id, .notFound)
            case .refuseSelf(let id, .accessDenied): ethernet.receiveLocalFailure(id, .accessDenied)
            case .showSelf(let credentials): ethernet.receiveLocalCredentials(credentials, now: now)
            case .answer(let ticket, let error): emit(.administered(ticket, error))
            case .event(let event): emit(.controller(event))
            }
        }
        return hasActed
    }
}
