// A node's state in the form of the field's tools. Members that have no meaning here have the value of a feature that is off.

package import JSONValues
package import NetPrimitives
package import ZeroTier

/// The objects that tools read. Keys are in byte order.
package enum NodeForm {
    // MARK: Status

    /// What `GET /status` shows, and `zerotier-cli -j info`. `local` is the file local.conf: what it says of settings wins.
    package static func status(
        _ status: NodeStatus, _ planet: RootSet?, home: String, local: LocalConfiguration
    ) -> JSONValue {
        var settings: [(String, JSONValue)] = [
            ("allowTcpFallbackRelay", .bool(false)), ("forceTcpRelay", .bool(false)), ("homeDir", .string(home)),
            ("listeningOn", .array(status.localEndpoints.map(slashed))), ("portMappingEnabled", .bool(false)),
            ("primaryPort", .integer(Int64(status.port))), ("secondaryPort", .integer(0)),
            ("softwareUpdate", .string("disable")), ("softwareUpdateChannel", .string("release")),
            ("surfaceAddresses", .array(status.surfaceEndpoints.map(slashed))), ("tertiaryPort", .integer(0)),
        ]
        var config: [(String, JSONValue)] = []
        if case .object(let root) = local.shown {
            config = root.members.map { ($0.key, $0.value) }
            if case .object(let said)? = root["settings"] {
                settings += said.members.filter { !measured.contains($0.key) }.map { ($0.key, $0.value) }
            }
        }
        config.append(("settings", .object(settings)))
        var members = version + [("clock", clock), ("online", .bool(status.isOnline))]
        members.append(("address", .string("\(status.id)")))
        members.append(("config", .object(config)))
        members.append(("planetWorldId", JSONValue(planet?.id ?? 0)))
        members.append(("planetWorldTimestamp", JSONValue(planet?.timestampMilliseconds ?? 0)))
        members.append(("publicIdentity", .string(status.publicIdentity)))
        members.append(("tcpFallbackActive", .bool(false)))
        return JSONValue.object(members).sortedByKey
    }

    // What no file can say: where the node is.
    private static let measured: Set<String> = ["homeDir", "listeningOn", "primaryPort", "surfaceAddresses"]

    /// What `GET /health` shows.
    package static func health(isOnline: Bool) -> JSONValue {
        JSONValue.object(version + [("clock", clock), ("online", .bool(isOnline))]).sortedByKey
    }

    private static var version: [(String, JSONValue)] {
        [
            ("version", .string(libraryVersionText)), ("versionBuild", .integer(0)),
            ("versionMajor", .integer(Int64(libraryVersion.major))),
            ("versionMinor", .integer(Int64(libraryVersion.minor))),
            ("versionRev", .integer(Int64(libraryVersion.revision))),
        ]
    }

    /// The time of this moment, Unix milliseconds.
    static var clock: JSONValue { .integer(SystemClock.now().unixMilliseconds) }

    private static func slashed(_ endpoint: SocketEndpoint) -> JSONValue { .string(slashedText(endpoint)) }

    /// An endpoint as the field writes it, such as `192.0.2.1/9993`.
    package static func slashedText(_ endpoint: SocketEndpoint) -> String { "\(endpoint.address)/\(endpoint.port)" }

    // MARK: Peers

    /// Whole milliseconds; -1 for nil.
    package static func milliseconds(_ duration: Duration?) -> Int64 {
        guard let duration else { return -1 }
        let (seconds, attoseconds) = duration.components
        return seconds * 1000 + (attoseconds + 500_000_000_000_000) / 1_000_000_000_000_000
    }

    /// An element of `GET /peer`.
    package static func peer(_ peer: PeerStatus) -> JSONValue {
        let now = SystemClock.now().unixMilliseconds
        func instant(_ since: Duration?) -> JSONValue { .integer(since.map { now - milliseconds($0) } ?? 0) }
        let parts = (peer.version ?? "").split(separator: ".").compactMap { Int64($0) }
        let version = parts.count == 3 ? parts : [-1, -1, -1]
        let paths = peer.paths.filter(\.isAlive).map { path -> JSONValue in
            .object([
                ("active", .bool(true)), ("address", slashed(path.endpoint)), ("expired", .bool(false)),
                ("lastReceive", instant(path.sinceReceive)), ("lastSend", instant(path.sinceSend)),
                ("localPort", .integer(0)), ("localSocket", .integer(0)), ("preferred", .bool(path.isPreferred)),
                ("trustedPathId", .integer(0)),
            ])
        }
        var members: [(String, JSONValue)] = [("address", .string("\(peer.id)")), ("isBonded", .bool(false))]
        members.append(("latency", .integer(milliseconds(peer.latency))))
        members.append(("paths", .array(paths)))
        members.append(("role", .string(peer.role.rawValue.uppercased())))
        members.append(("tunneled", .bool(false)))
        members.append(("version", .string(version.map(String.init).joined(separator: "."))))
        members.append(("versionMajor", .integer(version[0])))
        members.append(("versionMinor", .integer(version[1])))
        members.append(("versionRev", .integer(version[2])))
        return .object(members)
    }

    // MARK: Networks

    /// The field's word for a state.
    package static func name(_ state: NetworkStatus.State) -> String {
        switch state {
        case .requestingConfiguration: "REQUESTING_CONFIGURATION"
        case .ok: "OK"
        case .accessDenied: "ACCESS_DENIED"
        case .notFound: "NOT_FOUND"
        case .portError: "PORT_ERROR"
        case .clientTooOld: "CLIENT_TOO_OLD"
        case .authenticationRequired: "AUTHENTICATION_REQUIRED"
        }
    }

    /// The field's word for who may join.
    package static func type(_ network: NetworkStatus) -> String { network.isPrivate ? "PRIVATE" : "PUBLIC" }

    /// The members of an element of `GET /network`.
    package static func network(_ details: NetworkDetails, _ settings: NetworkSettings) -> [(
        key: String, value: JSONValue
    )] {
        let network = details.status
        var members: [(String, JSONValue)] = [
            ("allowDNS", .bool(settings.allowsDNS)), ("allowDefault", .bool(settings.allowsDefault)),
            ("allowGlobal", .bool(settings.allowsGlobal)), ("allowManaged", .bool(settings.allowsManaged)),
            ("assignedAddresses", .array(network.addresses.map(text))),
        ]
        if details.signOnExpiry != nil || network.authenticationURL != nil {
            members.append(("authenticationExpiryTime", JSONValue(details.signOnExpiry ?? 0)))
            members.append(("authenticationURL", .string(network.authenticationURL ?? "")))
        }
        members.append(("bridge", .bool(details.isBridge)))
        members.append(("broadcastEnabled", .bool(network.isBroadcastEnabled)))
        members.append(("dhcp", .bool(false)))
        let dns: [(String, JSONValue)] = [
            ("domain", .string(network.nameDomain)), ("servers", .array(network.nameServers.map(text))),
        ]
        members.append(("dns", .object(dns)))
        members.append(("id", text(network.id)))
        members.append(("mac", text(network.mac)))
        members.append(("mtu", .integer(Int64(network.mtu))))
        let groups = details.groups.map { group -> JSONValue in
            .object([("adi", .integer(Int64(group.distinguisher))), ("mac", text(group.mac))])
        }
        members.append(("multicastSubscriptions", .array(groups)))
        members.append(("name", .string(network.name)))
        members.append(("netconfRevision", JSONValue(details.revision)))
        members.append(("nwid", text(network.id)))
        // There is no interface of the machine, and so no error of one.
        members.append(("portDeviceName", .string("")))
        members.append(("portError", .integer(0)))
        let routes = zip(network.routes, details.routeAttributes).map { route, attributes -> JSONValue in
            .object([
                ("flags", .integer(Int64(attributes.flags))), ("metric", .integer(Int64(attributes.metric))),
                ("target", text(route.target)), ("via", route.via.map(text) ?? .null),
            ])
        }
        members.append(("routes", .array(routes)))
        if details.signOnExpiry != nil || network.authenticationURL != nil {
            members.append(("ssoEnabled", .bool(true)))
        }
        members.append(("status", .string(name(network.state))))
        members.append(("type", .string(type(network))))
        return members.map { (key: $0.0, value: $0.1) }
    }

    private static func text(_ value: some CustomStringConvertible) -> JSONValue { .string(value.description) }

    // MARK: Moons

    /// An element of `GET /moon`.
    package static func moon(_ moon: RootSet) -> JSONValue {
        let roots = moon.roots.map { root -> JSONValue in
            .object([
                ("identity", .string(root.identity.publicText)),
                ("stableEndpoints", .array(root.endpoints.map(slashed))),
            ])
        }
        let signature = moon.signature
        return self.moon(
            moon.id, roots, signature: .string(hexadecimal(signature.bytes)), moon.timestampMilliseconds,
            nextKey: .string(hexadecimal(signature.nextKey)), isWaiting: false)
    }

    /// A moon that is wanted and not there yet.
    package static func waitingMoon(_ id: UInt64) -> JSONValue {
        moon(id, [], signature: .null, 0, nextKey: .null, isWaiting: true)
    }

    private static func moon(
        _ id: UInt64, _ roots: [JSONValue], signature: JSONValue, _ timestamp: UInt64, nextKey: JSONValue,
        isWaiting: Bool
    ) -> JSONValue {
        .object([
            ("id", .string(NetPrimitives.hexadecimal(id, digits: 16))), ("roots", .array(roots)),
            ("signature", signature), ("timestamp", JSONValue(timestamp)), ("updatesMustBeSignedBy", nextKey),
            ("waiting", .bool(isWaiting)),
        ])
    }

    private static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { NetPrimitives.hexadecimal(UInt64($0), digits: 2) }.joined()
    }
}
