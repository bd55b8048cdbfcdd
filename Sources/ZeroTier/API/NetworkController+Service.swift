// The controller by records in JSON, for the service: calls that wait suspend their task and hold no thread. Each is answered with the
// record as it left it, whatever others do to it at the same time.

package import JSONValues
import NetPrimitives
package import ZeroTierController
import ZeroTierWire

/// A network's record, and its members in numbers.
package struct CountedNetwork: Sendable {
    package let record: NetworkRecord
    /// Members and those who wait.
    package let total: Int
    /// Members that are let in.
    package let authorized: Int
    /// Members and others that asked within the last two minutes.
    package let online: Int
}

/// A member's record, or that of a node that waits, and when it was there.
package struct SeenMember: Sendable {
    package let record: MemberRecord
    package let network: NetworkID
    /// Unix milliseconds of its last question for a configuration; nil if that is long ago.
    package let lastRequest: UInt64?

    package var node: NodeID { NodeID(record.address) }
    /// The record with the reference's names.
    package var json: JSONValue { record.json(of: network.wire) }
}

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

    /// What the controller did since its start, and how many configurations wait for their signature.
    package func counters() throws(ZeroTierError) -> (counters: ControllerCounters, waiting: Int) {
        try readBlocking { engine, _ in (engine.counters, engine.waitingSignatures) }
    }

    /// A network's record with the numbers of its members; nil if there is none.
    package func countedNetwork(_ id: NetworkID) throws(ZeroTierError) -> CountedNetwork? {
        try readBlocking { engine, now in
            engine.network(id.wire).map { NetworkController.counted($0, engine, now) }
        }
    }

    private static func counted(
        _ record: NetworkRecord, _ engine: borrowing ControllerEngine, _ now: Now
    ) -> CountedNetwork {
        let counts = engine.memberCounts(of: record.id)
        return CountedNetwork(
            record: record, total: counts.total, authorized: counts.authorized,
            online: engine.onlineCount(of: record.id, now: now))
    }

    /// Makes a network whose number is drawn, and changes it.
    package func createNetwork(
        _ change: @Sendable (inout NetworkRecord) -> Void
    ) async throws -> CountedNetwork {
        try await administer { (engine, ticket, now) throws(ControllerError) in
            let id = try engine.createNetwork(nil, ticket, now: now, change)
            return NetworkController.counted(
                engine.pendingNetwork(id) ?? NetworkRecord(id: id), engine, now)
        }
    }

    /// Changes a network that is there.
    package func changeNetwork(
        _ id: NetworkID, _ change: @Sendable (inout NetworkRecord) -> Void
    ) async throws -> CountedNetwork {
        try await administer { (engine, ticket, now) throws(ControllerError) in
            try engine.changeNetwork(id.wire, ticket, now: now, change)
            return NetworkController.counted(
                engine.pendingNetwork(id.wire) ?? NetworkRecord(id: id.wire), engine, now)
        }
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

    /// A part of the members' revisions by ascending address: the first ones, or those behind one, at most `limit`, which is at least 1.
    /// Nodes that wait are not among them. Nil if there is no such network.
    package func memberRevisions(
        of id: NetworkID, after former: NodeID?, limit: Int
    ) throws(ZeroTierError) -> [(node: NodeID, revision: UInt64)]? {
        let members = try readBlocking { engine, _ in
            engine.network(id.wire) == nil
                ? nil : engine.memberRevisions(of: id.wire, after: former?.address, limit: max(1, limit))
        }
        return members?.map { (node: NodeID($0.address), revision: $0.revision) }
    }

    /// A member's record, or that of a node that waits; nil if there is none.
    package func seenMember(_ node: NodeID, of id: NetworkID) throws(ZeroTierError) -> SeenMember? {
        try readBlocking { engine, now in
            guard engine.network(id.wire) != nil else { return nil }
            return engine.memberOrWaiting(node.address, of: id.wire).map { NetworkController.seen($0, id, engine, now) }
        }
    }

    /// The record that a node has while it waits to be let in; nil if it does not.
    package func waitingMember(_ node: NodeID, of id: NetworkID) throws(ZeroTierError) -> SeenMember? {
        try readBlocking { engine, now in
            guard engine.member(node.address, of: id.wire) == nil else { return nil }
            return engine.memberOrWaiting(node.address, of: id.wire).map { NetworkController.seen($0, id, engine, now) }
        }
    }

    /// A part of the members' records by ascending address: the first ones, or those behind one, at most `limit`, which is at least 1.
    /// Nodes that wait are not among them. Nil if there is no such network.
    package func seenMembers(
        of id: NetworkID, after former: NodeID?, limit: Int
    ) throws(ZeroTierError) -> [SeenMember]? {
        try readBlocking { engine, now in
            guard engine.network(id.wire) != nil else { return nil }
            return engine.members(of: id.wire, after: former?.address, limit: max(1, limit)).map {
                NetworkController.seen($0, id, engine, now)
            }
        }
    }

    private static func seen(
        _ record: MemberRecord, _ id: NetworkID, _ engine: borrowing ControllerEngine, _ now: Now
    ) -> SeenMember {
        SeenMember(
            record: record, network: id, lastRequest: engine.lastRequest(of: record.address, on: id.wire, now: now))
    }

    /// Changes a member, or makes one before it asks.
    package func changeMember(
        _ node: NodeID, of id: NetworkID, _ change: @Sendable (inout MemberRecord) -> Void
    ) async throws -> SeenMember {
        try await administer { (engine, ticket, now) throws(ControllerError) in
            try engine.changeMember(node.address, of: id.wire, ticket, now: now, change)
            let record = engine.pendingMember(node.address, of: id.wire) ?? MemberRecord(address: node.address)
            return NetworkController.seen(record, id, engine, now)
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
