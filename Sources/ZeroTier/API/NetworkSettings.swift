// What the owner of a node lets the controller of a network set on it.

public import NetPrimitives
import ZeroTierWire

/// The settings of one joined network, the same as those of `zerotier-cli set`. By default a controller may assign private
/// addresses and routes to private addresses, and nothing more.
public struct NetworkSettings: Hashable, Sendable {
    /// Whether addresses and routes that the controller assigns are taken (the original's `allowManaged`).
    public var allowsManaged: Bool
    /// If not empty, only addresses and routes inside one of these are taken, at most 128. A route into the addresses of
    /// another network is taken only if it is inside one of these.
    public var managedPrefixes: [IPPrefix]
    /// Whether addresses and routes in global address space are taken too (the original's `allowGlobal`).
    public var allowsGlobal: Bool
    /// Whether a route to everywhere is taken too (the original's `allowDefault`).
    public var allowsDefault: Bool
    /// Whether `NetworkStatus` shows the controller's name servers (the original's `allowDNS`).
    public var allowsDNS: Bool

    /// Makes settings; without arguments the defaults.
    public init(
        allowsManaged: Bool = true, managedPrefixes: [IPPrefix] = [], allowsGlobal: Bool = false,
        allowsDefault: Bool = false, allowsDNS: Bool = false
    ) {
        self.allowsManaged = allowsManaged
        self.managedPrefixes = managedPrefixes
        self.allowsGlobal = allowsGlobal
        self.allowsDefault = allowsDefault
        self.allowsDNS = allowsDNS
    }

    init(_ wire: ZeroTierWire.NetworkSettings) {
        self.init(
            allowsManaged: wire.allowsManaged, managedPrefixes: wire.managedPrefixes,
            allowsGlobal: wire.allowsGlobal, allowsDefault: wire.allowsDefault, allowsDNS: wire.allowsDNS)
    }

    var wire: ZeroTierWire.NetworkSettings {
        var settings = ZeroTierWire.NetworkSettings()
        settings.allowsManaged = allowsManaged
        settings.managedPrefixes = Array(managedPrefixes.prefix(ZeroTierWire.NetworkSettings.prefixLimit))
        settings.allowsGlobal = allowsGlobal
        settings.allowsDefault = allowsDefault
        settings.allowsDNS = allowsDNS
        return settings
    }
}
