// The controller by records in JSON, with the reference's names of fields, for threads outside of Swift's concurrency: what the
// C library and the command `zerotier` speak. A change is durable when its call returns.

import JSONValues
import NetPrimitives
package import ZeroTierController
import ZeroTierWire

extension NetworkController {
    /// Whether this node answers for its networks.
    package var isEnabled: Bool { (try? readBlocking { _, _ in true }) ?? false }

    /// Whether this node answers for its networks, from now on.
    package func setEnabled(_ isOn: Bool) throws(ZeroTierError) {
        if isOn { return try driver.enableController() }
        try driver.call { (core, now) throws(ZeroTierError) in core.setController(false, now: now) }
    }

    // MARK: Networks

    /// An array of the networks' IDs, ascending.
    package func networkList() throws(ZeroTierError) -> String {
        let ids = try readBlocking { engine, _ in engine.networkIDs }
        return JSONValue.array(ids.map { .string("\($0)") }).text
    }

    /// A network's record.
    package func networkText(_ id: NetworkID) throws(ZeroTierError) -> String {
        let record = try readBlocking { engine, _ in engine.network(id.wire) }
        guard let record else { throw ZeroTierError(.networkUnknown(id.wire)) }
        return record.json.text
    }

    /// Makes a network whose number is drawn, as an object says.
    package func createNetwork(_ text: [UInt8]) throws(ZeroTierError) -> NetworkID {
        let change = try NetworkController.change(NetworkRecord.self) { () throws(JSONError) in
            try RecordChange<NetworkRecord>(text: text)
        }
        return NetworkID(
            try administerBlocking { (engine, ticket, now) throws(ControllerError) in
                try engine.createNetwork(nil, ticket, now: now) { change.apply(to: &$0) }
            })
    }

    /// Changes a network as an object says, or makes one of this ID.
    package func setNetwork(_ id: NetworkID, _ text: [UInt8]) throws(ZeroTierError) {
        let change = try NetworkController.change(NetworkRecord.self) { () throws(JSONError) in
            try RecordChange<NetworkRecord>(text: text)
        }
        try administerBlocking { (engine, ticket, now) throws(ControllerError) in
            try engine.setNetwork(id.wire, ticket, now: now) { change.apply(to: &$0) }
        }
    }

    /// Deletes a network with all its members.
    package func deleteNetwork(_ id: NetworkID) throws(ZeroTierError) {
        try administerBlocking { (engine, ticket, now) throws(ControllerError) in
            try engine.deleteNetwork(id.wire, ticket, now: now)
        }
    }

    // MARK: Members

    /// An object of the members' revisions by their addresses. A node that waits to be let in has revision 0.
    package func memberList(of id: NetworkID) throws(ZeroTierError) -> String {
        let members = try readBlocking { engine, _ in
            engine.network(id.wire) == nil ? nil : engine.memberRevisions(of: id.wire)
        }
        guard let members else { throw ZeroTierError(.networkUnknown(id.wire)) }
        return JSONValue.object(members.map { ("\($0.address)", JSONValue($0.revision)) }).text
    }

    /// A member's record, or that of a node that waits.
    package func memberText(_ node: NodeID, of id: NetworkID) throws(ZeroTierError) -> String {
        let (isKnown, record) = try readBlocking { engine, _ in
            (engine.network(id.wire) != nil, engine.memberOrWaiting(node.address, of: id.wire))
        }
        guard isKnown else { throw ZeroTierError(.networkUnknown(id.wire)) }
        guard let record else { throw ZeroTierError(.memberUnknown(id.wire, node.address)) }
        return record.json(of: id.wire).text
    }

    /// Changes a member as an object says, or makes one before it asks.
    package func setMember(_ node: NodeID, of id: NetworkID, _ text: [UInt8]) throws(ZeroTierError) {
        let change = try NetworkController.change(MemberRecord.self) { () throws(JSONError) in
            try RecordChange<MemberRecord>(text: text)
        }
        try changeMember(node, of: id) { change.apply(to: &$0) }
    }

    /// Lets a node in, or out.
    package func authorizeMember(_ node: NodeID, of id: NetworkID, _ isAuthorized: Bool) throws(ZeroTierError) {
        try changeMember(node, of: id) {
            $0.isAuthorized = isAuthorized
            $0.isRefused = !isAuthorized
        }
    }

    /// Forgets a member with its addresses, or a node that waits.
    package func deleteMember(_ node: NodeID, of id: NetworkID) throws(ZeroTierError) {
        try administerBlocking { (engine, ticket, now) throws(ControllerError) in
            try engine.forget(node.address, of: id.wire, ticket, now: now)
        }
    }

    private func changeMember(
        _ node: NodeID, of id: NetworkID, _ change: (inout MemberRecord) -> Void
    ) throws(ZeroTierError) {
        try administerBlocking { (engine, ticket, now) throws(ControllerError) in
            try engine.changeMember(node.address, of: id.wire, ticket, now: now, change)
        }
    }

    // MARK: Files of other controllers

    /// Takes all records of an import, or none. `existing`: what becomes of networks that are there.
    package func take(
        _ records: RecordImport, existing: ExistingRecords
    ) throws(ZeroTierError) -> [ImportedNetwork] {
        try administerBlocking { (engine, ticket, now) throws(ControllerError) in
            try engine.take(records, existing: existing, ticket, now: now)
        }
    }

    /// The IDs of the networks, ascending.
    package func exportedNetworks() throws(ZeroTierError) -> [NetworkID] {
        try readBlocking { engine, _ in engine.networkIDs.map { NetworkID($0) } }
    }

    /// A network's record and those of its members as the reference keeps them; nil if it is gone.
    package func exported(
        _ id: NetworkID
    ) throws(ZeroTierError) -> (network: String, members: [(node: NodeID, record: String)])? {
        let (network, members) = try readBlocking { engine, _ in
            (engine.network(id.wire), engine.members(of: id.wire, limit: .max))
        }
        guard let network else { return nil }
        return (network.json.text, members.map { (NodeID($0.address), $0.exported(of: id.wire).text) })
    }

    // MARK: Ways to the machine

    static func change<Record>(
        _ record: Record.Type, _ read: () throws(JSONError) -> RecordChange<Record>
    ) throws(ZeroTierError) -> RecordChange<Record> {
        do throws(JSONError) {
            return try read()
        } catch {
            throw ZeroTierError(.invalidArgument, "\(error)")
        }
    }

    /// Reads what is durable.
    func readBlocking<Result: Sendable>(
        _ body: (inout ControllerEngine, Now) -> Result
    ) throws(ZeroTierError) -> Result {
        try driver.call { (core, now) throws(ZeroTierError) in
            try core.readController(now: now) { engine in body(&engine, now) }
        }
    }

    /// Makes a change and waits until it is durable.
    @discardableResult
    func administerBlocking<Result: Sendable>(
        _ body: (inout ControllerEngine, AdministrationTicket, Now) throws(ControllerError) -> Result
    ) throws(ZeroTierError) -> Result {
        let begun = try driver.call { (core, now) throws(ZeroTierError) in
            try core.beginAdministration(now: now) { (engine, ticket) throws(ControllerError) in
                try body(&engine, ticket, now)
            }
        }
        let number = begun.number
        defer { try? driver.call { (core, _) throws(ZeroTierError) in core.endAdministration(number) } }
        _ = try driver.waitBlocking(for: .administration(number), until: nil) { (core, _) throws(ZeroTierError) in
            try core.takeAdministration(number)
        }
        return begun.result
    }
}
