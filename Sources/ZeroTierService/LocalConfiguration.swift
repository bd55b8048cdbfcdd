// The file local.conf of a state directory: settings of this machine, in the field's form. What is not known here is kept.

package import JSONValues
package import NetPrimitives
import ZeroTierController

/// The settings of one version of the file.
package struct LocalConfiguration: Sendable, Equatable {
    /// Everything that the file says: an object.
    package let root: JSONValue
    /// `settings.allowManagementFrom`: who may ask the service besides this machine.
    package let managers: [IPPrefix]
    /// `settings.primaryPort`; 0 if nothing is said.
    package let primaryPort: UInt16
    /// `settings.logLevel`: the least grave lines of the log that are written. The field has no such setting.
    package let logLevel: LogLevel

    /// Nothing is set.
    package static let none = LocalConfiguration(root: .object([]), managers: [], primaryPort: 0, logLevel: .info)

    private static let limit = 1 << 20
    private static let managerLimit = 1024

    private init(root: JSONValue, managers: [IPPrefix], primaryPort: UInt16, logLevel: LogLevel) {
        self.root = root
        self.managers = managers
        self.primaryPort = primaryPort
        self.logLevel = logLevel
    }

    /// Reads the file; one without bytes sets nothing. Throws with line, column and field.
    package init(_ bytes: [UInt8]) throws(JSONError) {
        if bytes.allSatisfy({ $0 == 9 || $0 == 10 || $0 == 13 || $0 == 32 }) {
            self = .none
            return
        }
        var limits = JSONLimits()
        limits.bytes = LocalConfiguration.limit
        let document = try JSONDocument(bytes, limits: limits)
        self = try document.read { (json) throws(JSONError) in try LocalConfiguration(json) }
    }

    private init(_ json: JSONField) throws(JSONError) {
        _ = try json.members()
        let settings = json.said("settings")
        _ = try settings?.members()
        var managers: [IPPrefix] = []
        if let field = settings?.said("allowManagementFrom") {
            for element in try field.elements(atMost: LocalConfiguration.managerLimit) {
                // Without bits it is one address.
                guard let prefix = IPPrefix(try element.string()) else {
                    throw element.error(
                        "a network is expected, such as \"10.0.0.0/8\", not \(element.value.text.prefix(80))")
                }
                managers.append(prefix)
            }
        }
        let port = try settings?.said("primaryPort")?.looseInteger(Int64.self) ?? 0
        self.init(
            root: json.value, managers: managers, primaryPort: UInt16(truncatingIfNeeded: port),
            logLevel: try LocalConfiguration.level(settings?.said("logLevel")) ?? .info)
    }

    private static func level(_ field: JSONField?) throws(JSONError) -> LogLevel? {
        guard let field else { return nil }
        guard let level = LogLevel(rawValue: try field.string()) else {
            throw field.error(
                "\"info\", \"warning\" or \"error\" is expected, not \(field.value.text.prefix(80))")
        }
        return level
    }

    /// The members of `settings`, none if there is no such object.
    package var settings: [(key: String, value: JSONValue)] {
        guard case .object(let object) = root, case .object(let settings)? = object["settings"] else { return [] }
        return settings.members.map { (key: $0.key, value: $0.value) }
    }

    /// The file with other settings, each in the place of the one that was there.
    package func setting(_ changes: [(key: String, value: JSONValue)]) throws(JSONError) -> LocalConfiguration {
        let settings = JSONValue.object((self.settings + changes).map { ($0.key, $0.value) })
        var members: [(String, JSONValue)] = []
        if case .object(let object) = root { members = object.members.map { ($0.key, $0.value) } }
        return try LocalConfiguration(JSONField(.object(members + [("settings", settings)])))
    }

    /// What may be shown: without passwords, tokens and connection strings.
    package var shown: JSONValue { LocalConfiguration.masked(root) }

    private static func masked(_ value: JSONValue) -> JSONValue {
        switch value {
        case .array(let values): .array(values.map(masked))
        case .object(let object):
            .object(
                object.members.map { member in
                    isSecret(member.key) && member.value != .null
                        ? (member.key, JSONValue.string("(hidden)")) : (member.key, masked(member.value))
                })
        case .string(let text) where text.hasPrefix("postgres"): .string("postgres:(hidden)")
        default: value
        }
    }

    private static func isSecret(_ key: String) -> Bool {
        let key = key.lowercased()
        return ["password", "token", "secret"].contains { key.contains($0) }
    }
}
