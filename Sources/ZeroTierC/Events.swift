// Events in the form of generation 1: `struct zts_callback_msg`.

import CZeroTier
import NetPrimitives
import ZeroTier
import ZeroTierLibrary

/// The callback of `zts_start`.
typealias Callback1 = @convention(c) (UnsafeMutablePointer<zts_callback_msg>?) -> Void

extension EventSink {
    /// Tells a callback of generation 1.
    static func generation1(_ callback: @escaping (UnsafeMutablePointer<zts_callback_msg>) -> Void) -> EventSink {
        EventSink { event in
            guard let code = event.codes.first else { return }
            LastMessage.set(event.explanation)
            unsafe withZeroed(zts_callback_msg.self) { message in
                unsafe message.pointee.eventCode = code
                unsafe event.fill(message, then: callback)
            }
        }
    }
}

extension LibraryEvent {
    /// The text of `zts_last_error_message` in the callback.
    var explanation: String {
        switch self {
        case .node(.unrecoverable(let text), _): text
        case .node(.offline, let info): info.offlineReason ?? ""
        case .node(.up, let info): info.warning ?? ""
        case .node(.identityCollision, let info):
            "another node has the address \(NodeID(info.id)): this one gets another identity"
        default: ""
        }
    }

    // Fills what belongs to the event and calls.
    fileprivate func fill(
        _ message: UnsafeMutablePointer<zts_callback_msg>,
        then callback: (UnsafeMutablePointer<zts_callback_msg>) -> Void
    ) {
        switch self {
        case .stackUp, .stackDown, .store: unsafe callback(message)
        case .node(_, let info):
            unsafe withZeroed(zts_node_details.self) { details in
                unsafe Details.fill(details, info)
                unsafe message.pointee.node = details
                unsafe callback(message)
            }
        case .network(_, let network):
            unsafe withZeroed(zts_network_details.self) { details in
                unsafe Details.fill(details, network)
                unsafe message.pointee.network = details
                unsafe callback(message)
            }
        case .interface(_, let network):
            unsafe withZeroed(zts_netif_details.self) { details in
                unsafe Details.fill(details, network)
                unsafe message.pointee.netif = details
                unsafe callback(message)
            }
        case .peer(_, let peer):
            unsafe withZeroed(zts_peer_details.self) { details in
                unsafe Details.fill(details, peer)
                unsafe message.pointee.peer = details
                unsafe callback(message)
            }
        case .path(_, let path, let peer):
            unsafe withZeroed(zts_physical_path.self) { details in
                unsafe Details.fill(details, path, peer.unixMilliseconds)
                unsafe message.pointee.path = details
                unsafe callback(message)
            }
        case .route(_, let route, let attributes):
            unsafe withZeroed(zts_virtual_network_route.self) { details in
                unsafe Details.fill(details, route, attributes)
                unsafe message.pointee.route = details
                unsafe callback(message)
            }
        case .address(_, let network, let prefix):
            unsafe withZeroed(zts_addr_details.self) { details in
                unsafe details.pointee.nwid = network.value
                unsafe AddressMemory.writeHost(prefix.address, to: elements(details, \.addr, as: UInt8.self))
                unsafe message.pointee.addr = details
                unsafe callback(message)
            }
        case .controller(_, let id, let network, let peer):
            unsafe withZeroed(zts_network_details.self) { details in
                unsafe Details.fill(details, id, network)
                unsafe message.pointee.network = details
                guard let peer else { return unsafe callback(message) }
                unsafe withZeroed(zts_peer_details.self) { details in
                    unsafe Details.fill(details, peer)
                    unsafe message.pointee.peer = details
                    unsafe callback(message)
                }
            }
        }
    }
}
