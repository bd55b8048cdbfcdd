// Lists of whole records, which may be too long to be held at once, made part by part.

import JSONValues
import Synchronization
import ZeroTier
import ZeroTierController

/// Records that are read in pages.
protocol RecordPages: Sendable {
    /// The next records; nil after the last ones.
    mutating func next() throws -> [JSONValue]?
    /// How many there were, after the last ones.
    var meta: [(String, JSONValue)] { get }
}

/// What stands around the records.
enum RecordFrame: Sendable {
    /// `[...]`
    case array
    /// `{"data":[...],"meta":{...}}`
    case withNumbers
}

/// Such a list as the body of an answer.
final class RecordList<Pages: RecordPages>: Sendable {
    private struct State {
        var pages: Pages
        var hasBegun = false
        var hasRecords = false
        var hasEnded = false
    }

    private let frame: RecordFrame
    private let state: Mutex<State>

    private init(_ pages: Pages, _ frame: RecordFrame) {
        self.frame = frame
        state = Mutex(State(pages: pages))
    }

    static func answer(_ pages: Pages, _ frame: RecordFrame) -> ServiceAnswer {
        let list = RecordList(pages, frame)
        return ServiceAnswer(
            status: 200, contentType: ServiceAnswer.jsonType, body: .parts { try list.part() })
    }

    private func part() throws -> [UInt8]? {
        try state.withLock { state -> [UInt8]? in
            guard !state.hasEnded else { return nil }
            var text = ""
            if !state.hasBegun {
                text = frame == .array ? "[" : #"{"data":["#
                state.hasBegun = true
            }
            guard let records = try state.pages.next() else {
                state.hasEnded = true
                guard frame == .withNumbers else { return Array((text + "]").utf8) }
                return Array((text + #"],"meta":"# + JSONValue.object(state.pages.meta).text + "}").utf8)
            }
            for record in records {
                if state.hasRecords { text += "," }
                state.hasRecords = true
                text += record.text
            }
            return Array(text.utf8)
        }
    }
}

/// Networks with the numbers of their members.
struct NetworkPages: RecordPages {
    private let controller: NetworkController
    private let show: @Sendable (CountedNetwork) -> JSONValue
    private var rest: ArraySlice<NetworkID>
    private var count = 0

    init(
        _ controller: NetworkController, _ networks: [NetworkID],
        show: @escaping @Sendable (CountedNetwork) -> JSONValue
    ) {
        self.controller = controller
        self.show = show
        rest = networks[...]
    }

    mutating func next() throws -> [JSONValue]? {
        guard !rest.isEmpty else { return nil }
        let page = rest.prefix(ControllerRoutes.networksPerPage)
        rest = rest.dropFirst(page.count)
        // One that was deleted meanwhile is left out.
        let records = try page.compactMap { try controller.countedNetwork($0).map(show) }
        count += records.count
        return records
    }

    var meta: [(String, JSONValue)] { [("networkCount", .integer(Int64(count)))] }

    /// A record with the numbers of its members.
    @Sendable static func object(_ counted: CountedNetwork) -> JSONValue {
        let record = counted.record.json
        guard case .object(let object) = record else { return record }
        let meta: [(String, JSONValue)] = [
            ("authorizedMemberCount", .integer(Int64(counted.authorized))),
            ("totalMemberCount", .integer(Int64(counted.total))),
        ]
        return JSONValue.object(object.members.map { ($0.key, $0.value) } + [("meta", .object(meta))]).sortedByKey
    }
}

/// The members of a network, and those who wait, by ascending address.
struct MemberPages: RecordPages {
    private let controller: NetworkController
    private let network: NetworkID
    private let show: @Sendable (SeenMember) -> JSONValue
    private var waiting: ArraySlice<NodeID>
    private var last: NodeID?
    private var isOver = false
    private var total = 0
    private var authorized = 0

    /// Nil if there is no such network.
    init?(
        _ controller: NetworkController, _ network: NetworkID, show: @escaping @Sendable (SeenMember) -> JSONValue
    ) throws(ZeroTierError) {
        guard try controller.networkRecord(network) != nil else { return nil }
        self.controller = controller
        self.network = network
        self.show = show
        waiting = try controller.waitingNodes(of: network)[...]
    }

    mutating func next() throws -> [JSONValue]? {
        guard !isOver else { return nil }
        let limit = ControllerRoutes.pageSize
        // The network was deleted meanwhile: what was not sent is not there any more.
        let page = try controller.seenMembers(of: network, after: last, limit: limit) ?? []
        isOver = page.count < limit
        last = page.last?.node
        var records: [JSONValue] = []
        for member in page {
            try addWaiting(below: member.node, to: &records)
            total += 1
            authorized += member.record.isAuthorized ? 1 : 0
            records.append(show(member))
        }
        if isOver { try addWaiting(below: nil, to: &records) }
        return records
    }

    private mutating func addWaiting(below limit: NodeID?, to records: inout [JSONValue]) throws {
        while let node = waiting.first, limit.map({ node < $0 }) ?? true {
            waiting.removeFirst()
            // Who has a record meanwhile, comes with the others.
            guard let member = try controller.waitingMember(node, of: network) else { continue }
            total += 1
            records.append(show(member))
        }
        if let limit, waiting.first == limit { waiting.removeFirst() }
    }

    var meta: [(String, JSONValue)] {
        [("authorizedCount", .integer(Int64(authorized))), ("totalCount", .integer(Int64(total)))]
    }
}
