// Bytes: the JSON from which `zerotier-idtool` makes moons and planets. Read first: `zerotier/ZeroTierOne one.cpp`,
// `node/World.hpp` for the facts.

import JSONValues
import NetPrimitives
import ZeroTierCrypto
import ZeroTierWire

/// A world to be signed, with the keys that sign this version and name who signs the next.
struct WorldDraft: Sendable {
    var kind: World.Kind
    /// By convention the address of the first root.
    var id: UInt64
    /// Ascending by address; the endpoints of each by family, port and address.
    private(set) var roots: [World.Root]
    let signer: SecretKeys
    let updateKey: PublicKeys

    private static let publicDigits = 2 * PublicKeys.size
    private static let secretDigits = 2 * SecretKeys.size

    /// A moon of one root, which has no endpoints yet. The same key signs this version and the next.
    init(root: ZeroTierWire.Identity, signer: SecretKeys) {
        kind = .moon
        id = root.address.value
        roots = [World.Root(identity: root, endpoints: [])]
        self.signer = signer
        updateKey = signer.publicKeys
    }

    // MARK: JSON

    /// The members in the original's order.
    var json: JSONValue {
        let digits = String(id, radix: 16)
        let roots = roots.map { root in
            JSONValue.object([
                ("identity", .string(root.identity.text(includeSecret: false))),
                ("stableEndpoints", .array(root.endpoints.map { .string("\($0.address)/\($0.port)") })),
            ])
        }
        var members: [(String, JSONValue)] = [
            ("id", .string(String(repeating: "0", count: max(0, 10 - digits.count)) + digits)),
            ("objtype", .string("world")), ("roots", .array(roots)),
        ]
        members.append(("signingKey", .string(Hexadecimal.encode(signer.publicKeys.bytes))))
        members.append(("signingKey_SECRET", .string(Hexadecimal.encode(signer.bytes))))
        members.append(("updatesMustBeSignedBy", .string(Hexadecimal.encode(updateKey.bytes))))
        members.append(("worldType", .string(kind == .moon ? "moon" : "planet")))
        return .object(members)
    }

    /// Reads what `json` gives and people have changed. Throws the member that is wrong.
    init(_ json: JSONField) throws(JSONError) {
        if let type = json.member("objtype"), try type.string() != "world" { throw type.error("\"world\" is expected") }
        let type = try json.required("worldType")
        switch try type.string() {
        case "moon": kind = .moon
        case "planet": kind = .planet
        default: throw type.error("\"moon\" or \"planet\" is expected")
        }
        let number = try json.required("id")
        let digits = try number.string()
        guard digits.utf8.count <= 16, !digits.hasPrefix("+"), let id = UInt64(digits, radix: 16), id != 0 else {
            throw number.error("a world's number is 1 to 16 hexadecimal digits, and not 0")
        }
        self.id = id
        signer = try WorldDraft.signer(json)
        let update = try json.required("updatesMustBeSignedBy")
        updateKey = try WorldDraft.publicKeys(update)
        roots = try WorldDraft.roots(try json.required("roots"))
    }

    private static func signer(_ json: JSONField) throws(JSONError) -> SecretKeys {
        let secret = try json.required("signingKey_SECRET")
        // The value is a secret: the error does not repeat it.
        guard case .string(let text) = secret.value, let bytes = Hexadecimal.decode(text), let keys = SecretKeys(bytes)
        else {
            throw secret.error("\(secretDigits) hexadecimal digits are expected")
        }
        let open = try json.required("signingKey")
        guard try publicKeys(open) == keys.publicKeys else {
            throw open.error("this is not the public half of signingKey_SECRET")
        }
        return keys
    }

    private static func publicKeys(_ field: JSONField) throws(JSONError) -> PublicKeys {
        guard let bytes = Hexadecimal.decode(try field.string()), let keys = PublicKeys(bytes) else {
            throw field.error("\(publicDigits) hexadecimal digits are expected")
        }
        return keys
    }

    private static func roots(_ field: JSONField) throws(JSONError) -> [World.Root] {
        let elements = try field.elements(atMost: ProtocolLimits.rootsPerWorld)
        guard !elements.isEmpty else { throw field.error("a world has at least one root") }
        var roots: [World.Root] = []
        for element in elements {
            let place = try element.required("identity")
            guard case .string(let text) = place.value, let identity = ZeroTierWire.Identity(text: text) else {
                throw place.error("an identity in text form is expected")
            }
            guard identity.validate() else {
                throw place.error("the address \(identity.address) does not follow from the keys")
            }
            guard !roots.contains(where: { $0.identity.address == identity.address }) else {
                throw place.error("the root \(identity.address) is there twice")
            }
            let endpoints = try endpoints(try element.required("stableEndpoints"))
            roots.append(World.Root(identity: identity, endpoints: endpoints))
        }
        return roots.sorted { $0.identity.address < $1.identity.address }
    }

    private static func endpoints(_ field: JSONField) throws(JSONError) -> [SocketEndpoint] {
        var endpoints: [SocketEndpoint] = []
        for element in try field.elements(atMost: ProtocolLimits.endpointsPerRoot) {
            guard let endpoint = SocketEndpoint(try element.string()), endpoint.port != 0,
                !endpoint.address.isUnspecified
            else { throw element.error("an address and a port are expected, such as 203.0.113.5/9993") }
            endpoints.append(endpoint)
        }
        return endpoints.sorted {
            ($0.address.isIPv4 ? 0 : 1, $0.port, $0.address) < ($1.address.isIPv4 ? 0 : 1, $1.port, $1.address)
        }
    }

    // MARK: Signed

    /// The signed world of a version, in milliseconds since 1970.
    func signed(timestampMilliseconds: UInt64) -> World {
        World(
            kind: kind, id: id, timestampMilliseconds: timestampMilliseconds, updateKey: updateKey, roots: roots
        ).signed(with: signer)
    }
}
