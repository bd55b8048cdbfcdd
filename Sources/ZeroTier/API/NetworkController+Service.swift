// The controller by records in JSON, for the service: calls that wait suspend their task and hold no thread. Each is answered with the
// record as it left it, whatever others do to it at the same time.

package import JSONValues
import NetPrimitives
import ZeroTierController
import ZeroTierWire

extension NetworkController {
    // MARK: Networks

    /// The networks' IDs, ascending.
    package func networkIDs() throws(ZeroTierError) -> [NetworkID] {
        try readBlocking { engine, _ in engine.networkIDs.map { NetworkID($0) } }
    }

    /// A network's record; nil if there is none.
    package func networkRecord(_ id: NetworkID) throws(ZeroTierError) -> JSONValue? {
        try readBlocking { engine, _ in engine.network(id.wire) }?.json
    }

    /// How many networks and members have a record, those who wait included.
    package func recordCounts() throws(ZeroTierError) -> (networks: Int, members: Int) {
        try readBlocking { engine, _ in
            let ids = engine.networkIDs
            return (ids.count, ids.reduce(0) { $0 + engine.memberCounts(of: $1).total })
        }
    }

    /// A network's record with the numbers of its members; nil if there is none.
    package func countedNetworkRecord(
        _ id: NetworkID
    ) throws(ZeroTierError) -> (record: JSONValue, total: Int, authorized: Int)? {
        let (record, counts) = try readBlocking { engine, _ in
            (engine.network(id.wire), engine.memberCounts(of: id.wire))
        }
        return record.map { ($0.json, counts.total, counts.authorized) }
    }

    /// Makes a network whose number is drawn, as an object says.
    package func createRecord(_ text: [UInt8]) async throws -> JSONValue {
        let change = try NetworkController.change(NetworkRecord.self) { () throws(JSONError) in
            try RecordChange<NetworkRecord>(text: text)
        }
        return try await administer { (engine, ticket, now) throws(ControllerError) in
            let id = try engine.createNetwork(nil, ticket, now: now) { change.apply(to: &$0) }
            return (engine.pendingNetwork(id) ?? NetworkRecord(id: id)).json
        }
    }

    /// Changes a network as an object says, or makes one of this ID.
    package func changeRecord(of id: NetworkID, _ text: [UInt8]) async throws -> JSONValue {
        let change = try NetworkController.change(NetworkRecord.self) { () throws(JSONError) in
            try RecordChange<NetworkRecord>(text: text)
        }
        return try await administer { (engine, ticket, now) throws(ControllerError) in
            try engine.setNetwork(id.wire, ticket, now: now) { change.apply(to: &$0) }
            return (engine.pendingNetwork(id.wire) ?? NetworkRecord(id: id.wire)).json
        }
    }

    /// Deletes a network with all its members.
    package func deleteRecord(of id: NetworkID) async throws -> JSONValue {
        try await administer { (engine, ticket, now) throws(ControllerError) in
            guard let record = engine.pendingNetwork(id.wire) else { throw .networkUnknown(id.wire) }
            try engine.deleteNetwork(id.wire, ticket, now: now)
            return record.json
        }
    }

    // MARK: Members

    /// The members' revisions by ascending address. A node that waits to be let in has revision 0. Nil if there is no such network.
    package func memberRevisions(
        of id: NetworkID
    ) throws(ZeroTierError) -> [(node: NodeID, revision: UInt64)]? {
        let members = try readBlocking { engine, _ in
            engine.network(id.wire) == nil ? nil : engine.memberRevisions(of: id.wire)
        }
        return members?.map { (node: NodeID($0.address), revision: $0.revision) }
    }

    /// A member's record, or that of a node that waits; nil if there is none.
    package func memberRecord(_ node: NodeID, of id: NetworkID) throws(ZeroTierError) -> JSONValue? {
        let record = try readBlocking { engine, _ in
            engine.network(id.wire) == nil ? nil : engine.memberOrWaiting(node.address, of: id.wire)
        }
        return record?.json(of: id.wire)
    }

    /// The record that a node has while it waits to be let in; nil if it does not.
    package func waitingRecord(_ node: NodeID, of id: NetworkID) throws(ZeroTierError) -> JSONValue? {
        let record = try readBlocking { engine, _ in
            engine.member(node.address, of: id.wire) == nil ? engine.memberOrWaiting(node.address, of: id.wire) : nil
        }
        return record?.json(of: id.wire)
    }

    /// A part of the members' records by ascending address: the first ones, or those behind one, at most `limit`, which is at least 1.
    /// Nodes that wait are not among them. Nil if there is no such network.
    package func memberRecords(
        of id: NetworkID, after former: NodeID?, limit: Int
    ) throws(ZeroTierError) -> [(node: NodeID, isAuthorized: Bool, record: JSONValue)]? {
        let records = try readBlocking { engine, _ in
            engine.network(id.wire) == nil
                ? nil : engine.members(of: id.wire, after: former?.address, limit: max(1, limit))
        }
        return records?.map {
            (node: NodeID($0.address), isAuthorized: $0.isAuthorized, record: $0.json(of: id.wire))
        }
    }

    /// Changes a member as an object says, or makes one before it asks.
    package func changeMemberRecord(_ node: NodeID, of id: NetworkID, _ text: [UInt8]) async throws -> JSONValue {
        let change = try NetworkController.change(MemberRecord.self) { () throws(JSONError) in
            try RecordChange<MemberRecord>(text: text)
        }
        return try await administer { (engine, ticket, now) throws(ControllerError) in
            try engine.changeMember(node.address, of: id.wire, ticket, now: now) { change.apply(to: &$0) }
            let record = engine.pendingMember(node.address, of: id.wire) ?? MemberRecord(address: node.address)
            return record.json(of: id.wire)
        }
    }

    /// Forgets a member with its addresses, or a node that waits.
    package func deleteMemberRecord(_ node: NodeID, of id: NetworkID) async throws -> JSONValue {
        try await administer { (engine, ticket, now) throws(ControllerError) in
            guard let record = engine.pendingMember(node.address, of: id.wire) else {
                throw .memberUnknown(id.wire, node.address)
            }
            try engine.forget(node.address, of: id.wire, ticket, now: now)
            return record.json(of: id.wire)
        }
    }
}
