// The number of each event in the two generations of the interface: ZeroTierConstants.h and ZeroTierSockets.h.

import NetPrimitives
import ZeroTierLibrary

extension LibraryEvent {
    /// Codes of generation 1 and 2; nil if a generation does not have the event.
    typealias Codes = (first: Int32?, second: Int16?)

    /// The event's codes.
    var codes: Codes {
        switch self {
        case .stackUp: (48, 220)
        case .stackDown: (49, 221)
        case .node(let change, _): LibraryEvent.codes(change)
        case .network(let change, _): LibraryEvent.codes(change)
        case .interface(.up, _): (64, 230)
        case .interface(.down, _): (65, 231)
        case .interface(.removed, _): (66, 232)
        case .interface(.linkUp, _): (67, 233)
        case .interface(.linkDown, _): (68, 234)
        case .peer(.direct, _): (96, 240)
        case .peer(.relayed, _): (97, 241)
        case .peer(.unreachable, _): (98, 242)
        case .path(.discovered, _, _): (112, 243)
        case .path(.alive, _, _): (113, nil)
        case .path(.dead, _, _): (114, 244)
        case .route(isAdded: true, _, _): (128, 250)
        case .route(isAdded: false, _, _): (129, 251)
        case .address(isAdded: true, _, let prefix): prefix.address.isIPv4 ? (144, 260) : (146, 262)
        case .address(isAdded: false, _, let prefix): prefix.address.isIPv4 ? (145, 261) : (147, 263)
        case .store(.secretIdentity, _): (nil, 270)
        case .store(.publicIdentity, _): (nil, 271)
        case .store(.planet, _): (nil, 272)
        case .store(.peer, _): (nil, 273)
        case .store(.network, _): (nil, 274)
        case .controller(.memberWaiting, _, _, _): (160, 280)
        case .controller(.memberChanged, _, _, _): (161, 281)
        case .controller(.networkChanged, _, _, _): (162, 282)
        }
    }

    private static func codes(_ change: NodeChange) -> Codes {
        switch change {
        case .up: (0, 200)
        case .online: (2, 201)
        case .offline: (1, 202)
        case .down: (3, 203)
        case .identityCollision: (4, 204)
        case .unrecoverable: (16, 204)
        case .normalTermination: (17, nil)
        }
    }

    private static func codes(_ change: NetworkChange) -> Codes {
        switch change {
        case .notFound: (32, 210)
        case .clientTooOld: (33, 211)
        case .requestingConfiguration: (34, 212)
        case .ok: (35, 213)
        case .accessDenied: (36, 214)
        case .readyIPv4: (37, 215)
        case .readyIPv6: (38, 216)
        case .readyBoth: (39, 217)
        case .down: (40, 218)
        case .updated: (nil, 219)
        }
    }
}
