// What can be asked of a node's networks, by every face of the interface. Read first: Surface.swift.

import CZeroTier
import NetPrimitives
import ZeroTier
import ZeroTierLibrary

extension CallFailure {
    /// Why an ID is refused: no network can have it.
    static func network(_ id: UInt64) -> CallFailure? { id == 0 ? because(.argument, "0 is no network ID") : nil }

    /// Why a call is refused: a pointer is NULL.
    static func null(_ names: String) -> CallFailure { because(.argument, "\(names) is NULL") }
}

extension Node {
    /// The details of a joined network; nil if it is not joined.
    func detailsIfJoined(_ id: UInt64) throws -> NetworkDetails? { try networkDetails(of: NetworkID(id)) }

    /// The details of a joined network.
    func details(_ id: UInt64) throws -> NetworkDetails {
        guard let found = try detailsIfJoined(id) else {
            throw CallFailure.because(.noResult, "network \(NetworkID(id)) is not joined")
        }
        return found
    }
}

extension Surface {
    func join(_ id: UInt64) -> Int32 { outcome(.network(id)) { _ = try $0.startJoining(NetworkID(id)) } }

    func leave(_ id: UInt64) -> Int32 {
        outcome(generation == .second ? .network(id) : nil) { try $0.leave(NetworkID(id)) }
    }

    func networkCount() -> Int32 { value { Int32(clamping: try $0.networks().count) } }

    /// The event code that describes a network's state.
    func networkCode(_ id: UInt64) -> Int32 { value(.network(id)) { try $0.details(id).status.code } }

    /// Writes the details of one network.
    func describe(_ id: UInt64, to nd: UnsafeMutablePointer<zts_network_details>?) -> Int32 {
        unsafe outcome(.network(id) ?? (nd == nil ? .null("nd") : nil), needs: .running) { node in
            let found = try node.details(id)
            unsafe memset(nd!, 0, MemoryLayout<zts_network_details>.size)
            unsafe Details.fill(nd!, found)
        }
    }

    /// Writes the details of all networks for which there is room.
    func describeNetworks(
        to nds: UnsafeMutablePointer<zts_network_details>?, count: UnsafeMutablePointer<Int32>?
    ) -> Int32 {
        var problem: CallFailure? {
            if unsafe nds == nil || count == nil { return .null("nds or num") }
            return unsafe count!.pointee < 0 ? .because(.argument, "num is negative") : nil
        }
        return outcome(problem, needs: .running) { node in
            let all = try node.networkDetails().prefix(Int(unsafe count!.pointee))
            for (index, network) in all.enumerated() {
                unsafe memset(nds! + index, 0, MemoryLayout<zts_network_details>.size)
                unsafe Details.fill(nds! + index, network)
            }
            unsafe count!.pointee = Int32(all.count)
        }
    }

    /// Writes what the controller of a network may set.
    func describeSettings<Structure: SettingsStructure>(
        of id: UInt64, to target: UnsafeMutablePointer<Structure>?
    ) -> Int32 {
        outcome(.network(id) ?? (unsafe target == nil ? .null("settings") : nil), needs: .running) { node in
            _ = try node.details(id)
            unsafe target!.pointee.take(try node.settings(of: NetworkID(id)))
        }
    }

    /// Changes it. What a structure has no member for stays.
    func setSettings<Structure: SettingsStructure>(of id: UInt64, from source: UnsafePointer<Structure>?) -> Int32 {
        var problem: CallFailure? {
            if let problem = CallFailure.network(id) { return problem }
            return unsafe source == nil ? .null("settings") : unsafe source!.pointee.problem
        }
        return outcome(problem, needs: .running) { node in
            _ = try node.details(id)
            var settings = try node.settings(of: NetworkID(id))
            unsafe source!.pointee.apply(to: &settings)
            try node.setSettings(settings, of: NetworkID(id))
        }
    }

    func addressCount(_ id: UInt64) -> Int32 {
        value(needs: .running) { Int32(clamping: try $0.details(id).status.addresses.count) }
    }

    /// Writes one of the addresses on a network.
    func address(
        _ id: UInt64, at index: Int32, to addr: UnsafeMutablePointer<sockaddr>?,
        _ length: UnsafeMutablePointer<socklen_t>?
    ) -> Int32 {
        var problem: CallFailure? {
            if unsafe addr == nil || length == nil { return .null("addr or addrlen") }
            return index < 0 ? .because(.argument, "the index is negative") : nil
        }
        return outcome(problem, needs: .running) { node in
            let addresses = try node.details(id).status.addresses
            guard index < addresses.count else {
                throw CallFailure.because(.argument, "there are \(addresses.count) addresses, and none at \(index)")
            }
            let address = addresses[Int(index)].address
            let size = address.isIPv4 ? AddressMemory.sizeIPv4 : AddressMemory.sizeIPv6
            guard unsafe length!.pointee >= size else {
                throw CallFailure.because(.argument, "an address takes \(size) bytes")
            }
            unsafe memset(addr!, 0, Int(size))
            unsafe length!.pointee = AddressMemory.writeHost(address, to: addr!)
        }
    }

    /// Writes the first address of a family, given in either numbering.
    func address(_ id: UInt64, family: Int32, to addr: UnsafeMutablePointer<sockaddr_storage>?) -> Int32 {
        var problem: CallFailure? {
            if let problem = CallFailure.network(id) { return problem }
            if unsafe addr == nil { return .null("addr") }
            return [2, 10, 30].contains(family) ? nil : .noFamily
        }
        return outcome(problem, needs: .running) { node in
            let addresses = try node.details(id).status.addresses.map(\.address)
            guard let address = addresses.first(where: { $0.isIPv4 == (family == 2) }) else {
                throw CallFailure.noAddress
            }
            unsafe memset(addr!, 0, MemoryLayout<sockaddr_storage>.size)
            unsafe AddressMemory.writeHost(address, to: addr!)
        }
    }
}

/// The structures with what a controller may set, which both generations have.
protocol SettingsStructure {
    var allow_managed: Int32 { get set }
    var allow_global: Int32 { get set }
    var allow_default: Int32 { get set }
    var allow_dns: Int32 { get set }
}

extension zts_network_settings: SettingsStructure {}
extension zts_net_settings_t: SettingsStructure {}

extension SettingsStructure {
    fileprivate var members: [(name: String, value: Int32)] {
        [
            ("allow_managed", allow_managed), ("allow_global", allow_global), ("allow_default", allow_default),
            ("allow_dns", allow_dns),
        ]
    }

    /// Why a program's structure is refused.
    fileprivate var problem: CallFailure? {
        members.first { !(0...1).contains($0.value) }.map {
            .because(.argument, "\($0.name) is 0 or 1, not \($0.value)")
        }
    }

    fileprivate func apply(to settings: inout NetworkSettings) {
        settings.allowsManaged = allow_managed == 1
        settings.allowsGlobal = allow_global == 1
        settings.allowsDefault = allow_default == 1
        settings.allowsDNS = allow_dns == 1
    }

    fileprivate mutating func take(_ settings: NetworkSettings) {
        allow_managed = settings.allowsManaged ? 1 : 0
        allow_global = settings.allowsGlobal ? 1 : 0
        allow_default = settings.allowsDefault ? 1 : 0
        allow_dns = settings.allowsDNS ? 1 : 0
    }
}

extension NetworkStatus {
    /// The event code that describes the network's state.
    fileprivate var code: Int32 {
        switch state {
        case .requestingConfiguration: return ZTS_EVENT_NETWORK_REQUESTING_CONFIG
        case .accessDenied, .authenticationRequired: return ZTS_EVENT_NETWORK_ACCESS_DENIED
        case .notFound: return ZTS_EVENT_NETWORK_NOT_FOUND
        case .clientTooOld: return ZTS_EVENT_NETWORK_CLIENT_TOO_OLD
        case .portError: return ZTS_EVENT_NETWORK_DOWN
        case .ok: break
        }
        switch (addresses.contains { $0.address.isIPv4 }, addresses.contains { $0.address.isIPv6 }) {
        case (true, true): return ZTS_EVENT_NETWORK_READY_IP4_IP6
        case (true, false): return ZTS_EVENT_NETWORK_READY_IP4
        case (false, true): return ZTS_EVENT_NETWORK_READY_IP6
        case (false, false): return ZTS_EVENT_NETWORK_OK
        }
    }
}
