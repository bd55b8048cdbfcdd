// Events of the library, before they take the form of one generation of the interface.

package import NetPrimitives
package import ZeroTier

/// Something that the program is told.
// Indirect: with cases of different sizes the compiler reads bytes that were never written, and memory checkers
// complain.
package indirect enum LibraryEvent: Sendable {
    case stackUp
    case stackDown
    case node(NodeChange, NodeInfo)
    case network(NetworkChange, NetworkDetails)
    case interface(InterfaceChange, NetworkDetails)
    case peer(PeerChange, PeerInfo)
    case path(PathChange, PeerStatus.Path, PeerInfo)
    case route(isAdded: Bool, NetworkStatus.Route, NetworkDetails.RouteAttributes)
    case address(isAdded: Bool, NetworkID, IPPrefix)
    case store(StoredObject, [UInt8])
    /// Of this node's own networks; nil if the network is gone. The member is that of a member's events.
    case controller(ControllerChange, NetworkID, ControlledNetwork?, PeerInfo?)

    package enum NodeChange: Sendable {
        case up, offline, online, down, identityCollision, normalTermination
        case unrecoverable(String)
    }

    package enum NetworkChange: Sendable {
        case notFound, clientTooOld, requestingConfiguration, ok, accessDenied, readyIPv4, readyIPv6, readyBoth, down
        case updated
    }

    package enum InterfaceChange: Sendable { case up, down, removed, linkUp, linkDown }
    package enum PeerChange: Sendable { case direct, relayed, unreachable }
    package enum PathChange: Sendable { case discovered, alive, dead }
    package enum StoredObject: Sendable { case secretIdentity, publicIdentity, planet, peer, network }
    package enum ControllerChange: Sendable { case memberWaiting, memberChanged, networkChanged }

    /// How easily an event is dropped when the queue is full: never those of rank 0, first those of the highest.
    var rank: Int {
        switch self {
        case .stackUp, .stackDown, .node: 0
        case .network(.updated, _): 2
        case .network, .interface, .address, .route, .controller: 1
        case .store: 2
        case .peer, .path: 3
        }
    }
}

/// This node, as events and queries tell it.
package struct NodeInfo: Sendable {
    package var id: UInt64 = 0
    package var isOnline = false
    /// Why it is not online, if the event or query wanted that.
    package var offlineReason: String?
    /// Something that its owner should mend, found at the start.
    package var warning: String?
    package var port: UInt16 = 0
    package var planet: PlanetReference?
    package var unixMilliseconds: UInt64 = 0

    package init(
        id: UInt64 = 0, isOnline: Bool = false, port: UInt16 = 0, planet: PlanetReference? = nil,
        unixMilliseconds: UInt64 = 0
    ) {
        self.id = id
        self.isOnline = isOnline
        self.port = port
        self.planet = planet
        self.unixMilliseconds = unixMilliseconds
    }
}

/// A peer at the moment `unixMilliseconds`.
package struct PeerInfo: Sendable {
    package var status: PeerStatus
    package var unixMilliseconds: UInt64

    package init(status: PeerStatus, unixMilliseconds: UInt64) {
        self.status = status
        self.unixMilliseconds = unixMilliseconds
    }
}

/// Where events go, and in which form.
package struct EventSink: @unchecked Sendable {
    // Sound to share: the closure holds function and context pointers of the program and no state; it is called on the
    // callback thread alone.
    package let deliver: (LibraryEvent) -> Void
    /// Whether the form has events for state that is to be stored.
    package var wantsStores = false

    package init(deliver: @escaping (LibraryEvent) -> Void, wantsStores: Bool = false) {
        self.deliver = deliver
        self.wantsStores = wantsStores
    }
}
