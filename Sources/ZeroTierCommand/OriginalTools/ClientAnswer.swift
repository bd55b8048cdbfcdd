// Bytes: what `zerotier-cli` prints for a service's reply, and the status with which it ends.

import JSONValues

/// The end of a call: bytes for the standard output, words for the standard error, and the exit status.
struct ClientAnswer: Equatable, Sendable {
    var output: [UInt8] = []
    var complaint: String?
    var status: Int32 = 0

    static let failed: Int32 = 1
    static let misused: Int32 = 2
    /// Help that nobody asked for by a switch is a word beside the output.
    static let help = ClientAnswer(complaint: ClientHelp.text, status: 0)

    private init(body: [UInt8]) { output = body }

    private init(line: String, status: Int32 = 0) {
        output = Array((line + "\n").utf8)
        self.status = status
    }

    private init(complaint: String, status: Int32) {
        self.complaint = complaint
        self.status = status
    }

    /// The answer to a verb that is one request. `now` is in milliseconds since 1970.
    init(_ reply: ClientReply, to verb: ClientVerb, asJSON: Bool, now: Int64) {
        guard reply.status == 200 else {
            self.init(
                line: "\(reply.status) \(verb.name) \(String(decoding: reply.body, as: UTF8.self))",
                status: ClientAnswer.failed)
            return
        }
        switch verb {
        // As they came: nothing is added.
        case .raw, .set: self.init(body: reply.body)
        case .join, .leave, .deorbit, .rotate: self.init(asJSON ? reply.body : nil, "200 \(verb.name) OK")
        case .orbit, .setMTU: self.init(nil, "200 \(verb.name) OK")
        default:
            do throws(JSONError) {
                self = try ClientAnswer.table(try JSONDocument(reply.body).root, verb, asJSON: asJSON, now: now)
            } catch {
                self.init(
                    line: "the service's answer to \(verb.name) cannot be read: \(error)", status: ClientAnswer.failed)
            }
        }
    }

    private init(_ body: [UInt8]?, _ line: String) {
        if let body {
            self.init(body: body)
        } else {
            self.init(line: line)
        }
    }

    /// A service that was not reached, or did not answer.
    init(unreached cause: String, verb: ClientVerb, host: String, port: UInt16) {
        if verb.isChange {
            self.init(line: "0 \(verb.name) \(cause)", status: ClientAnswer.failed)
            return
        }
        let place = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        self.init(
            line: """
                The ZeroTier service cannot be asked: \(cause)

                Is it running, and can TCP port \(port) be reached at \(place)? `-p`, `-H` and `-D` name another one.
                """, status: ClientAnswer.failed)
    }

    /// A command line that makes no sense.
    init(_ mistake: ClientVerb.Mistake) {
        self.init(complaint: "\(mistake.problem)\n\n\(ClientHelp.text)", status: ClientAnswer.misused)
    }

    /// No port or token, in words.
    init(withoutAccess problem: String) { self.init(complaint: problem, status: ClientAnswer.misused) }

    /// A file was written.
    init(dumpedInto path: String) { self.init(line: "200 dump \(path)") }

    // MARK: Tables

    private static func table(
        _ json: JSONValue, _ verb: ClientVerb, asJSON: Bool, now: Int64
    ) throws(JSONError) -> ClientAnswer {
        if case .get(let network, let member) = verb { return try property(member, network, json) }
        if asJSON || verb == .listMoons {
            return ClientAnswer(line: json.sortedByKey.indentedText(by: 1))
        }
        switch verb {
        case .info: return ClientAnswer(line: OriginalTable.info(json))
        case .listPeers: return ClientAnswer(line: OriginalTable.listPeers(try list(json), now: now))
        case .peers: return ClientAnswer(line: OriginalTable.peers(try list(json), now: now))
        case .listNetworks: return ClientAnswer(line: OriginalTable.listNetworks(try list(json), now: now))
        case .bonds: return ClientAnswer(line: OriginalTable.bonds(try list(json)))
        default: return ClientAnswer(line: OriginalTable.bond(json))
        }
    }

    private static func list(_ json: JSONValue) throws(JSONError) -> [ReplyValue] {
        guard let elements = ReplyValue(json).elements else { throw JSONField(json).error("a list is expected") }
        return elements
    }

    private static func property(_ member: String, _ network: String, _ json: JSONValue) throws(JSONError)
        -> ClientAnswer
    {
        let joined = try list(json).first {
            ($0["id"].string ?? $0["nwid"].string)?.lowercased() == network
        }
        guard let joined = joined?.json else {
            return ClientAnswer(complaint: "the node has not joined network \(network)", status: failed)
        }
        guard let text = OriginalTable.property(member, of: joined) else {
            return ClientAnswer(
                complaint:
                    "network \(network) has no member \(Report.printable(member)) of one value: `-j listnetworks` shows them",
                status: failed)
        }
        return ClientAnswer(line: text)
    }
}
