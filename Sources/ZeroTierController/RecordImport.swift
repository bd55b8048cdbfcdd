//  Records out of other controllers' files: those of the reference, one file a record, and what Central answers about networks
//  and members. Everything is read and validated before anything is taken.
//
//  controller.d   network/ID.json, network/ID/member/ADDRESS.json: objects as RecordJSON writes them
//  Central        {"id", "description", "rulesSource", "config": {...}} and {"networkId", "nodeId", "name", "config": {...}}, alone,
//                 in an array, or as the members "networks" and "members" of an object; a network may have "members" too

import JSONValues
import NetPrimitives
import ZeroTierWire

/// What is wrong with a file. Nothing was taken of it or of any other.
package struct ImportError: Error, Hashable, Sendable, CustomStringConvertible {
    package let file: String
    package let problem: String

    package init(file: String, problem: String) {
        self.file = file
        self.problem = problem
    }

    package var description: String { "\(file): \(problem)" }
}

/// Records that were read and not taken yet.
package struct RecordImport: Sendable {
    struct Network: Sendable {
        var record: NetworkRecord
        var members: [Address: MemberRecord] = [:]
    }

    private struct Stray: Sendable {
        let member: MemberRecord
        let file: String
    }

    /// By the IDs in the files.
    private(set) var networks: [NetworkID: Network] = [:]
    // Members whose network did not come yet.
    private var strays: [NetworkID: [Address: Stray]] = [:]
    /// What is in the files and is not kept, in words.
    package private(set) var notes: [String] = []

    package init() {}

    package var networkCount: Int { networks.count }
    package var memberCount: Int { networks.values.reduce(0) { $0 + $1.members.count } }

    /// Reads a file. `file` is what errors call it. After an error nothing of this import is to be taken.
    package mutating func add(_ file: String, _ bytes: [UInt8]) throws(ImportError) {
        var limits = JSONLimits()
        limits.bytes = ControllerLimits.exportText
        do throws(JSONError) {
            let document = try JSONDocument(bytes, limits: limits)
            try document.read { (json) throws(JSONError) in try read(json, file, depth: 0) }
        } catch {
            throw ImportError(file: file, problem: "\(error)")
        }
    }

    /// Every file is read: each member has its network.
    package mutating func finish() throws(ImportError) {
        if let id = strays.keys.min(), let stray = strays[id]?.min(by: { $0.key < $1.key })?.value {
            throw ImportError(
                file: stray.file,
                problem: "member \(stray.member.address) is of network \(id), which is in none of the files")
        }
        guard !networks.isEmpty else {
            throw ImportError(file: "the files", problem: "there is no record of a network")
        }
    }

    // MARK: Forms

    private mutating func read(_ json: JSONField, _ file: String, depth: Int) throws(JSONError) {
        if case .array = json.value, depth == 0 {
            for element in try json.elements() { try read(element, file, depth: 1) }
            return
        }
        _ = try json.members()
        if json.member("networkId") != nil, json.member("nodeId") != nil { return try readCentralMember(json, file) }
        if let config = json.said("config"), json.member("id") != nil {
            return try readCentralNetwork(json, config, file)
        }
        if depth == 0, json.value.isList {
            for key in ["networks", "members"] {
                guard let list = json.said(key) else { continue }
                for element in try list.elements() { try read(element, file, depth: 1) }
            }
            return
        }
        let id = try json.required("id")
        let text = try id.string()
        if json.member("objtype")?.value == .string("member") || NetworkID(text: text) == nil {
            try readMember(json, id, file)
        } else {
            try readNetwork(json, id)
        }
    }

    private mutating func readNetwork(_ json: JSONField, _ field: JSONField) throws(JSONError) {
        guard let id = NetworkID(text: try field.string()) else {
            throw field.error("a network's ID is expected: 16 hexadecimal digits")
        }
        if try json.said("ssoEnabled")?.looseBool() == true {
            notes.append("network \(id): its single sign-on is not kept; who is authorized is let in without it")
        }
        var record = NetworkRecord(id: id)
        try RecordChange<NetworkRecord>(network: json).apply(to: &record)
        try take(record, json, field)
    }

    private mutating func readCentralNetwork(
        _ json: JSONField, _ config: JSONField, _ file: String
    ) throws(JSONError) {
        let field = try json.required("id")
        guard let id = NetworkID(text: try field.string()) else {
            throw field.error("a network's ID is expected: 16 hexadecimal digits")
        }
        var record = NetworkRecord(id: id)
        try RecordChange<NetworkRecord>(network: config).apply(to: &record)
        if let note = json.said("description") { record.note = try note.looseString() }
        if let source = json.said("rulesSource") {
            // Rules that are there are compiled already.
            record.ruleSource = try source.looseString()
            if config.said("rules") == nil {
                try RecordChange<NetworkRecord>(ruleSource: source).apply(to: &record)
            }
        }
        try take(record, config, field)
        if let list = json.said("members") {
            for element in try list.elements() { try read(element, file, depth: 1) }
        }
    }

    private mutating func take(
        _ read: NetworkRecord, _ json: JSONField, _ field: JSONField
    ) throws(JSONError) {
        var record = read
        record.creationTime = try json.said("creationTime")?.looseInteger() ?? 0
        record.revision = try json.said("revision")?.looseInteger() ?? 1
        do throws(ControllerError) {
            try record.validate()
        } catch {
            throw json.error(error.words)
        }
        guard networks[record.id] == nil else { throw field.error("network \(record.id) comes a second time") }
        var network = Network(record: record)
        for (address, stray) in strays.removeValue(forKey: record.id) ?? [:] {
            network.members[address] = stray.member
        }
        networks[record.id] = network
    }

    private mutating func readMember(_ json: JSONField, _ field: JSONField, _ file: String) throws(JSONError) {
        let address = try field.nodeAddress()
        let network = try json.required("nwid")
        try readMember(json, address, field, of: network, in: nil, file)
    }

    private mutating func readCentralMember(_ json: JSONField, _ file: String) throws(JSONError) {
        let field = try json.required("nodeId")
        let address = try field.nodeAddress()
        try readMember(
            json.required("config"), address, field, of: json.required("networkId"), in: json, file)
    }

    private mutating func readMember(
        _ json: JSONField, _ address: Address, _ field: JSONField, of network: JSONField, in whole: JSONField?,
        _ file: String
    ) throws(JSONError) {
        guard let id = NetworkID(text: try network.string()) else {
            throw network.error("a network's ID is expected: 16 hexadecimal digits")
        }
        var member = MemberRecord(address: address)
        var change = try RecordChange<MemberRecord>(member: json)
        try change.readMarks(json)
        if let whole { try change.readMarks(whole) }
        change.apply(to: &member)
        if member.name.isEmpty { member.name = try whole?.said("name")?.looseString() ?? "" }
        try member.readHistory(json)
        do throws(ControllerError) {
            try member.validate()
        } catch {
            throw json.error(error.words)
        }
        guard networks[id]?.members[address] == nil, strays[id]?[address] == nil else {
            throw field.error("member \(address) of network \(id) comes a second time")
        }
        if networks[id] != nil {
            networks[id]?.members[address] = member
        } else {
            strays[id, default: [:]][address] = Stray(member: member, file: file)
        }
    }
}

extension JSONValue {
    // An object of networks and members, and not one of them.
    fileprivate var isList: Bool {
        guard case .object(let object) = self else { return false }
        return object["networks"] != nil || (object["members"] != nil && object["id"] == nil)
    }
}

extension MemberRecord {
    // What no administrator may change, and a file remembers.
    fileprivate mutating func readHistory(_ json: JSONField) throws(JSONError) {
        creationTime = try json.said("creationTime")?.looseInteger() ?? 0
        revision = try json.said("revision")?.looseInteger() ?? 1
        lastAuthorizedTime = try json.said("lastAuthorizedTime")?.looseInteger() ?? 0
        lastDeauthorizedTime = try json.said("lastDeauthorizedTime")?.looseInteger() ?? 0
        if let field = json.said("refused") { isRefused = try field.looseBool() && !isAuthorized }
        if let field = json.said("lastAuthorizedCredentialType") {
            switch try field.string() {
            case "api": admission = .administrator
            case "public": admission = .publicNetwork
            case "token":
                let token = try json.said("lastAuthorizedCredential")?.looseString() ?? ""
                guard token.utf8.count <= ControllerLimits.tokenLength else {
                    throw field.error("a token has at most \(ControllerLimits.tokenLength) bytes")
                }
                admission = .token(token)
            default: admission = .none
            }
        }
        if let field = json.said("identity") {
            let text = try field.string()
            guard let known = Identity(text: text), known.address == address, known.secretKeys == nil else {
                throw field.error("the public identity of \(address) is expected")
            }
            identity = known.publicKeys
        }
        version = try MemberVersion(json)
    }
}

extension MemberVersion {
    // Nil if it was never told: -1 in the files.
    fileprivate init?(_ json: JSONField) throws(JSONError) {
        func number(_ key: String) throws(JSONError) -> UInt16? {
            guard let field = json.said(key), field.value != .integer(-1) else { return nil }
            return try field.looseInteger()
        }
        guard let major = try number("vMajor"), let minor = try number("vMinor"), let revision = try number("vRev")
        else { return nil }
        self.init(
            major: major, minor: minor, revision: revision, protocolVersion: try number("vProto") ?? 0)
    }
}

extension ControllerError {
    // Of a field that is wrong: what it is and why.
    fileprivate var words: String {
        if case .fieldInvalid(let field, let reason) = self { return "\(field): \(reason)" }
        return "\(self)"
    }
}
