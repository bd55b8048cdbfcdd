//  Records out of other controllers' files: any bytes are taken or refused with the file's name, and what is taken is written and
//  read as the same again.

import JSONValues
import NetPrimitives
import ZeroTierController
import ZeroTierWire

/// A file that is imported, and the same bytes as a change of a network and of a member.
package func fuzzImport(_ bytes: [UInt8]) {
    checkChange(bytes)
    var records = RecordImport()
    do throws(ImportError) {
        try records.add("file", bytes)
        try records.finish()
    } catch {
        precondition(!error.problem.isEmpty && !error.file.isEmpty, "an error without words")
        return
    }
    let now = FuzzFixture.start
    var engine = ControllerEngine(identity: FuzzFixture.controller, random: RandomSource(seed: 1), now: now)
    guard let taken = try? engine.take(records, AdministrationTicket(1), now: now) else { return }
    guard case .commit(_, let ticket)? = engine.nextJob(now: now) else { preconditionFailure("nothing is written") }
    engine.complete(ticket, failure: nil, now: now)
    precondition(taken.count == records.networkCount, "networks that were lost")
    precondition(taken.reduce(0) { $0 + $1.memberCount } == records.memberCount, "members that were lost")
    // What is written is read again, and is the same.
    var again = RecordImport()
    var written: [(network: JSONValue, members: [JSONValue])] = []
    for network in taken {
        guard let record = engine.network(network.id) else { preconditionFailure("a network that is not there") }
        precondition(network.id.controller == engine.address, "a network of somebody else")
        let members = engine.members(of: network.id, limit: .max).map { $0.json(of: network.id) }
        written.append((record.json, members))
        do throws(ImportError) {
            for member in members { try again.add("member", Array(member.text.utf8)) }
            try again.add("network", Array(record.json.text.utf8))
        } catch {
            preconditionFailure("a record that cannot be read: \(error)")
        }
    }
    var other = ControllerEngine(identity: FuzzFixture.controller, random: RandomSource(seed: 2), now: now)
    guard let same = try? other.take(again, AdministrationTicket(1), now: now),
        case .commit(_, let ticket)? = other.nextJob(now: now)
    else { preconditionFailure("records that are not taken") }
    other.complete(ticket, failure: nil, now: now)
    precondition(same.map(\.id) == taken.map(\.id), "other networks")
    for (network, was) in zip(same, written) {
        precondition(other.network(network.id)?.json == was.network, "a network that changed on its way")
        precondition(
            other.members(of: network.id, limit: .max).map { $0.json(of: network.id) } == was.members,
            "a member that changed")
    }
}

private func checkChange(_ bytes: [UInt8]) {
    do throws(JSONError) {
        _ = try RecordChange<NetworkRecord>(text: bytes)
        _ = try RecordChange<MemberRecord>(text: bytes)
    } catch {
        precondition(error.position != nil && !error.problem.isEmpty, "an error without a place")
    }
}
