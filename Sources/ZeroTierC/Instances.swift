// Several nodes in one process, by number.
// Public functions are documented in the header that declares them.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

public import CZeroTier
import ZeroTier
import ZeroTierLibrary
import ZeroTierSockets

// MARK: Life

@c @implementation
public func zts_instance_start(
    _ path: UnsafePointer<CChar>?, _ callback: zts_instance_callback?, _ context: UnsafeMutableRawPointer?,
    _ port: Int32
) -> Int32 {
    if CallingThread.isForked { return Generation.first.fail(.forked) }
    guard let port = UInt16(exactly: port) else { return Generation.first.refuse("the port is not in 0...65535") }
    var settings = RunSettings()
    settings.path = unsafe path.map { unsafe String(cString: $0) }
    settings.port = port
    if settings.path == "" {
        return Generation.first.refuse("the path is empty: NULL is for a node that keeps everything in memory")
    }
    let node = LibraryNode(layer: SocketLayer())
    guard let number = LibraryInstances.add(node) else {
        return Generation.first.fail(.because(.general, "there are \(LibraryInstances.largest) instances already"))
    }
    if let callback = unsafe callback {
        settings.sink = unsafe EventSink.generation1 { unsafe callback(number, $0, context) }
    }
    node.announceStack(to: settings.sink)
    do throws(LifeFailure) {
        try node.start(settings)
        return number
    } catch {
        _ = LibraryInstances.remove(number)
        // Its callback may know of the stack already: that thread ends too.
        try? node.free()
        return Generation.first.fail(CallFailure(error))
    }
}

@c @implementation
public func zts_instance_stop(_ instance: Int32) -> Int32 { Surface.instance(instance).life { try $0.stop() } }

@c @implementation
public func zts_instance_start_again(_ instance: Int32) -> Int32 {
    Surface.instance(instance).life { try $0.start($0.settings) }
}

@c @implementation
public func zts_instance_restart(_ instance: Int32) -> Int32 { Surface.instance(instance).life { try $0.restart() } }

@c @implementation
public func zts_instance_is_running(_ instance: Int32) -> Int32 {
    Generation.first.result { try Surface.instance(instance).library().isStarted ? 1 : 0 }
}

@c @implementation
public func zts_instance_free(_ instance: Int32) -> Int32 {
    Surface.instance(instance).life { library in
        try library.free()
        _ = LibraryInstances.remove(instance)
    }
}

@c @implementation
public func zts_instance_is_online(_ instance: Int32) -> Int32 {
    Generation.first.result { try Surface.instance(instance).library().isOnline ? 1 : 0 }
}

@c @implementation
public func zts_instance_get_node_id(_ instance: Int32) -> UInt64 { Surface.instance(instance).nodeID() }

@c @implementation
public func zts_instance_get_node_status(_ instance: Int32) -> Int32 {
    Generation.first.result {
        try Surface.instance(instance).library().isOnline ? ZTS_EVENT_NODE_ONLINE : ZTS_EVENT_NODE_OFFLINE
    }
}

// MARK: Networks

@c @implementation
public func zts_instance_join(_ instance: Int32, _ nwid: UInt64) -> Int32 { Surface.instance(instance).join(nwid) }

@c @implementation
public func zts_instance_leave(_ instance: Int32, _ nwid: UInt64) -> Int32 { Surface.instance(instance).leave(nwid) }

@c @implementation
public func zts_instance_get_num_joined_networks(_ instance: Int32) -> Int32 {
    Surface.instance(instance).networkCount()
}

@c @implementation
public func zts_instance_get_network_status(_ instance: Int32, _ nwid: UInt64) -> Int32 {
    Surface.instance(instance).networkCode(nwid)
}

@c @implementation
public func zts_instance_get_network_details(
    _ instance: Int32, _ nwid: UInt64, _ nd: UnsafeMutablePointer<zts_network_details>?
) -> Int32 { unsafe Surface.instance(instance).describe(nwid, to: nd) }

@c @implementation
public func zts_instance_get_network_settings(
    _ instance: Int32, _ nwid: UInt64, _ settings: UnsafeMutablePointer<zts_network_settings>?
) -> Int32 { unsafe Surface.instance(instance).describeSettings(of: nwid, to: settings) }

@c @implementation
public func zts_instance_set_network_settings(
    _ instance: Int32, _ nwid: UInt64, _ settings: UnsafePointer<zts_network_settings>?
) -> Int32 { unsafe Surface.instance(instance).setSettings(of: nwid, from: settings) }

@c @implementation
public func zts_instance_get_all_network_details(
    _ instance: Int32, _ nds: UnsafeMutablePointer<zts_network_details>?, _ num: UnsafeMutablePointer<Int32>?
) -> Int32 { unsafe Surface.instance(instance).describeNetworks(to: nds, count: num) }

@c @implementation
public func zts_instance_get_num_assigned_addresses(_ instance: Int32, _ nwid: UInt64) -> Int32 {
    Surface.instance(instance).addressCount(nwid)
}

@c @implementation
public func zts_instance_get_address_at_index(
    _ instance: Int32, _ nwid: UInt64, _ index: Int32, _ addr: UnsafeMutablePointer<sockaddr>?,
    _ addrlen: UnsafeMutablePointer<socklen_t>?
) -> Int32 { unsafe Surface.instance(instance).address(nwid, at: index, to: addr, addrlen) }

@c @implementation
public func zts_instance_get_address(
    _ instance: Int32, _ nwid: UInt64, _ addr: UnsafeMutablePointer<sockaddr_storage>?, _ address_family: Int32
) -> Int32 { unsafe Surface.instance(instance).address(nwid, family: address_family, to: addr) }

// MARK: Roots, peers, statistics

@c @implementation
public func zts_instance_orbit(_ instance: Int32, _ moonWorldId: UInt64, _ moonSeed: UInt64) -> Int32 {
    Surface.instance(instance).orbit(moonWorldId, seed: moonSeed)
}

@c @implementation
public func zts_instance_deorbit(_ instance: Int32, _ moonWorldId: UInt64) -> Int32 {
    Surface.instance(instance).deorbit(moonWorldId)
}

@c @implementation
public func zts_instance_get_peer_count(_ instance: Int32) -> Int32 { Surface.instance(instance).peerCount() }

@c @implementation
public func zts_instance_get_peers(
    _ instance: Int32, _ pds: UnsafeMutablePointer<zts_peer_details>?, _ num: UnsafeMutablePointer<Int32>?
) -> Int32 { unsafe Surface.instance(instance).describePeers(to: pds, count: num) }

@c @implementation
public func zts_instance_get_peer(
    _ instance: Int32, _ pd: UnsafeMutablePointer<zts_peer_details>?, _ peerId: UInt64
) -> Int32 { unsafe Surface.instance(instance).describePeer(peerId, to: pd) }

@c @implementation
public func zts_instance_get_peer_status(_ instance: Int32, _ peerId: UInt64) -> Int32 {
    Surface.instance(instance).peerCode(peerId)
}

@c @implementation
public func zts_instance_get_all_stats(_ instance: Int32, _ statsDest: UnsafeMutablePointer<zts_stats>?) -> Int32 {
    unsafe Surface.instance(instance).fillStatistics(statsDest)
}

@c @implementation
public func zts_instance_get_protocol_stats(
    _ instance: Int32, _ protocolType: Int32, _ protoStatsDest: UnsafeMutableRawPointer?
) -> Int32 { unsafe Surface.instance(instance).fillStatistics(protoStatsDest, ofProtocol: protocolType) }

// MARK: Sockets

@c @implementation
public func zts_instance_socket(
    _ instance: Int32, _ socket_family: Int32, _ socket_type: Int32, _ protocol: Int32
) -> Int32 {
    Generation.first.result {
        let library = try Surface.instance(instance).library()
        try library.needStarted()
        let result = SocketCalls.socket(socket_family, socket_type, `protocol`, inCallOn: library.layer)
        return result < 0 ? Int32(result) : instance << SocketPlace.instanceShift | Int32(result)
    }
}
