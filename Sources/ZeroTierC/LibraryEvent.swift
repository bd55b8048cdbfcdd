// Events of the library, before they take the form of one generation of the interface.

import NetPrimitives
import ZeroTier

/// Something that the program is told.
// Indirect: of cases of different size the compiler reads bytes that were never written, which memory checkers tell.
indirect enum LibraryEvent: Sendable {
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

    enum NodeChange: Sendable {
        case up, offline, online, down, identityCollision, normalTermination
        case unrecoverable(String)
    }

    enum NetworkChange: Sendable {
        case notFound, clientTooOld, requestingConfiguration, ok, accessDenied, readyIPv4, readyIPv6, readyBoth, down
        case updated
    }

    enum InterfaceChange: Sendable { case up, down, removed, linkUp, linkDown }
    enum PeerChange: Sendable { case direct, relayed, unreachable }
    enum PathChange: Sendable { case discovered, alive, dead }
    enum StoredObject: Sendable { case secretIdentity, publicIdentity, planet, peer, network }

    /// How dear an event is when the queue is full: 0 are never dropped, the highest go first.
    var rank: Int {
        switch self {
        case .stackUp, .stackDown, .node: 0
        case .network(.updated, _): 2
        case .network, .interface, .address, .route: 1
        case .store: 2
        case .peer, .path: 3
        }
    }
}

/// This node, as events and queries tell it.
struct NodeInfo: Sendable {
    var id: UInt64 = 0
    var isOnline = false
    /// What keeps it from being online, if that was asked for.
    var offlineReason: String?
    /// What its owner should see to, at the start.
    var warning: String?
    var port: UInt16 = 0
    var planet: PlanetReference?
    var unixMilliseconds: UInt64 = 0
}

/// A peer at the moment `unixMilliseconds`.
struct PeerInfo: Sendable {
    var status: PeerStatus
    var unixMilliseconds: UInt64
}

/// Who is told, and in which form.
struct EventSink: @unchecked Sendable {
    // Sound to share: the closure holds function and context pointers of the program and no state; it is called on the
    // callback thread alone.
    let deliver: (LibraryEvent) -> Void
    /// Whether the form has events for what is to be stored.
    var wantsStores = false
}
