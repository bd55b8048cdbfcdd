// Bytes: the verbs of the original's `zerotier-cli`: the words, the request that they mean, and the text of the answer.
// Read first: `zerotier/ZeroTierOne one.cpp` for the facts.

import JSONValues

/// A request of the service.
struct ClientRequest: Equatable, Sendable {
    enum Method: String, Sendable { case get = "GET", post = "POST", delete = "DELETE" }

    var method: Method
    /// The request's target: printable ASCII, beginning with a slash.
    var path: String
    /// JSON; nil for none.
    var body: String?
}

/// What the service answered.
struct ClientReply: Equatable, Sendable {
    var status: Int
    var body: [UInt8]
}

/// A verb with all that belongs to it.
enum ClientVerb: Equatable, Sendable {
    case help
    case info
    case listPeers
    case peers
    case listNetworks
    case join(String)
    case leave(String)
    case set(String, setting: String, isAllowed: Bool)
    case get(String, member: String)
    case listMoons
    case orbit(UInt64, seed: UInt64)
    case deorbit(UInt64)
    case bonds
    case bond(String)
    case rotate(String)
    case setMTU(UInt16, link: String, address: String)
    case dump
    case raw(String)

    /// A command line that makes no sense, in words.
    struct Mistake: Error, Equatable {
        let problem: String
    }

    /// The settings that `set` knows.
    static let settings = ["allowManaged", "allowGlobal", "allowDefault", "allowDNS"]

    init(_ words: [String]) throws(Mistake) {
        guard let verb = words.first else {
            self = .help
            return
        }
        let rest = Array(words.dropFirst())
        if verb.hasPrefix("/") {
            try ClientVerb.expect(rest, [], verb)
            self = .raw(try ClientVerb.target(verb))
            return
        }
        switch verb {
        case "help": self = .help
        case "info", "status": self = try ClientVerb.alone(.info, rest, verb)
        case "listpeers": self = try ClientVerb.alone(.listPeers, rest, verb)
        case "peers": self = try ClientVerb.alone(.peers, rest, verb)
        case "listnetworks": self = try ClientVerb.alone(.listNetworks, rest, verb)
        case "listmoons": self = try ClientVerb.alone(.listMoons, rest, verb)
        case "listbonds": self = try ClientVerb.alone(.bonds, rest, verb)
        case "dump": self = try ClientVerb.alone(.dump, rest, verb)
        case "join", "leave":
            try ClientVerb.expect(rest, ["the network's ID"], verb)
            let network = try ClientVerb.network(rest[0])
            self = verb == "join" ? .join(network) : .leave(network)
        case "set":
            try ClientVerb.expect(rest, ["the network's ID", "a setting such as allowDNS=1"], verb)
            self = try ClientVerb.change(rest[0], rest[1])
        case "get":
            try ClientVerb.expect(rest, ["the network's ID", "a member's name"], verb)
            self = .get(try ClientVerb.network(rest[0]), member: rest[1])
        case "orbit":
            try ClientVerb.expect(rest, ["the moon's number", "the address of one of its roots"], verb)
            self = .orbit(try ClientVerb.number(rest[0]), seed: try ClientVerb.number(rest[1]))
        case "deorbit":
            try ClientVerb.expect(rest, ["the moon's number"], verb)
            self = .deorbit(try ClientVerb.number(rest[0]))
        case "bond": self = try ClientVerb.bond(rest)
        default: throw Mistake(problem: "there is no verb \(Report.printable(verb))")
        }
    }

    // MARK: Words

    private static func alone(_ verb: ClientVerb, _ rest: [String], _ name: String) throws(Mistake) -> ClientVerb {
        try expect(rest, [], name)
        return verb
    }

    private static func expect(_ words: [String], _ names: [String], _ verb: String) throws(Mistake) {
        if words.count < names.count { throw Mistake(problem: "\(verb) needs \(names[words.count])") }
        if words.count > names.count {
            throw Mistake(problem: "\(verb) takes no \(Report.printable(words[names.count]))")
        }
    }

    private static func bond(_ words: [String]) throws(Mistake) -> ClientVerb {
        switch (words.first, words.count > 1 ? words[1] : nil) {
        case ("list", _): return try alone(.bonds, Array(words.dropFirst()), "bond list")
        case ("setmtu", _):
            try expect(
                Array(words.dropFirst()), ["an MTU", "an interface's name", "the address of the other end"],
                "bond setmtu")
            guard let size = UInt16(words[1]), (68...UInt16.max).contains(size) else {
                throw Mistake(problem: "an MTU is 68 to \(UInt16.max), not \(Report.printable(words[1]))")
            }
            return .setMTU(size, link: words[2], address: words[3])
        case (let peer?, "show"?):
            try expect(Array(words.dropFirst(2)), [], "bond show")
            return .bond(try address(peer))
        case (let peer?, "rotate"?):
            try expect(Array(words.dropFirst(2)), [], "bond rotate")
            return .rotate(try address(peer))
        default: throw Mistake(problem: "bond is followed by list, setmtu, or an address and show or rotate")
        }
    }

    private static func isHexadecimal(_ text: String, _ count: Int) -> Bool {
        text.utf8.count == count && text.allSatisfy { $0.isASCII && $0.isHexDigit }
    }

    private static func network(_ text: String) throws(Mistake) -> String {
        guard isHexadecimal(text, 16) else {
            throw Mistake(problem: "a network's ID has 16 hexadecimal digits, not \(Report.printable(text))")
        }
        return text.lowercased()
    }

    private static func address(_ text: String) throws(Mistake) -> String {
        guard isHexadecimal(text, 10) else {
            throw Mistake(problem: "a peer's address has 10 hexadecimal digits, not \(Report.printable(text))")
        }
        return text.lowercased()
    }

    private static func number(_ text: String) throws(Mistake) -> UInt64 {
        guard !text.hasPrefix("+"), let value = UInt64(text, radix: 16), value != 0 else {
            throw Mistake(
                problem: "a number of hexadecimal digits, not 0, is needed in place of \(Report.printable(text))")
        }
        return value
    }

    private static func change(_ network: String, _ text: String) throws(Mistake) -> ClientVerb {
        let network = try self.network(network)
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2 else { throw Mistake(problem: "a setting is like allowDNS=1") }
        guard settings.contains(parts[0]) else {
            throw Mistake(
                problem:
                    "there is no setting \(Report.printable(parts[0])): \(settings.joined(separator: ", ")) can be set")
        }
        switch parts[1].lowercased() {
        case "1", "t", "true": return .set(network, setting: parts[0], isAllowed: true)
        case "0", "f", "false": return .set(network, setting: parts[0], isAllowed: false)
        default: throw Mistake(problem: "\(parts[0]) is 1 or 0, not \(Report.printable(parts[1]))")
        }
    }

    // What would end a line of the request must not get into it.
    private static func target(_ path: String) throws(Mistake) -> String {
        guard path.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw Mistake(problem: "a path is of letters, digits and signs of ASCII, without spaces")
        }
        return path
    }

    private static func component(_ text: String) -> String {
        text.utf8.map { byte in
            let character = Character(UnicodeScalar(byte))
            if byte < 0x80, character.isLetter || character.isNumber || "-._~:".contains(character) {
                return String(character)
            }
            return "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
        }.joined()
    }

    // A service of the original takes exactly ten digits; a larger number needs one that takes more.
    private static func moon(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: (digits.utf8.count > 10 ? 16 : 10) - digits.utf8.count) + digits
    }

    // MARK: Requests

    /// What the service is asked; nil for a verb that is no single request.
    var request: ClientRequest? {
        switch self {
        case .help, .dump: nil
        case .info: ClientRequest(method: .get, path: "/status")
        case .listPeers, .peers, .bonds: ClientRequest(method: .get, path: "/peer")
        case .listNetworks, .get: ClientRequest(method: .get, path: "/network")
        case .listMoons: ClientRequest(method: .get, path: "/moon")
        case .join(let network): ClientRequest(method: .post, path: "/network/\(network)", body: "{}")
        case .leave(let network): ClientRequest(method: .delete, path: "/network/\(network)")
        case .set(let network, let setting, let isAllowed):
            ClientRequest(
                method: .post, path: "/network/\(network)",
                body: JSONValue.object([(setting, .bool(isAllowed))]).text)
        case .orbit(let moon, let seed):
            ClientRequest(
                method: .post, path: "/moon/\(ClientVerb.moon(moon))",
                body: JSONValue.object([("seed", .string(ClientVerb.moon(seed)))]).text)
        case .deorbit(let moon): ClientRequest(method: .delete, path: "/moon/\(ClientVerb.moon(moon))")
        case .bond(let peer): ClientRequest(method: .get, path: "/bond/show/\(peer)")
        case .rotate(let peer): ClientRequest(method: .post, path: "/bond/rotate/\(peer)", body: "{}")
        case .setMTU(let size, let link, let address):
            ClientRequest(
                method: .post,
                path: "/bond/setmtu/\(size)/\(ClientVerb.component(link))/\(ClientVerb.component(address))", body: "{}")
        case .raw(let path): ClientRequest(method: .get, path: path)
        }
    }

    /// What stands for the verb in a line about its failure.
    var name: String {
        switch self {
        case .help: "help"
        case .info: "info"
        case .listPeers: "listpeers"
        case .peers: "peers"
        case .listNetworks: "listnetworks"
        case .join: "join"
        case .leave: "leave"
        case .set: "set"
        case .get: "get"
        case .listMoons: "listmoons"
        case .orbit: "orbit"
        case .deorbit: "deorbit"
        case .bonds, .bond: "bond"
        case .rotate: "rotate"
        case .setMTU: "setmtu"
        case .dump: "dump"
        case .raw(let path): path
        }
    }

    /// Whether it changes something: such a verb tells a failure in one line.
    var isChange: Bool {
        switch self {
        case .join, .leave, .set, .orbit, .deorbit, .rotate, .setMTU: true
        default: false
        }
    }
}
