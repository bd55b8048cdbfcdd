// Several nodes in one process, by number.
// Public functions are documented in the header that declares them.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

public import CZeroTier
import Glibc
import Synchronization
import ZeroTier
import ZeroTierSockets

/// The further nodes of this process.
enum LibraryInstances {
    private static let table = Mutex<[Int32: LibraryNode]>([:])
    /// Numbers, and so nodes, of one process.
    static let largest: Int32 = 2047

    // A fork has the numbers and none of the nodes, and perhaps another thread's hold on the lock.
    static func node(_ instance: Int32) -> LibraryNode? {
        CallingThread.isForked ? nil : table.withLock { $0[instance] }
    }

    static var all: [LibraryNode] { CallingThread.isForked ? [] : table.withLock { Array($0.values) } }

    static var hasAny: Bool { !CallingThread.isForked && table.withLock { !$0.isEmpty } }

    static func add(_ node: LibraryNode) -> Int32? {
        table.withLock { table in
            guard let free = (1...largest).first(where: { table[$0] == nil }) else { return nil }
            table[free] = node
            return free
        }
    }

    static func remove(_ instance: Int32) -> LibraryNode? { table.withLock { $0.removeValue(forKey: instance) } }
}

private func with(_ instance: Int32, _ body: (LibraryNode) throws(CallFailure) -> Int32) -> Int32 {
    Generation.first.result { () throws(CallFailure) in
        guard let node = LibraryInstances.node(instance) else {
            throw .noInstance(instance)
        }
        return try body(node)
    }
}

extension CallFailure {
    fileprivate static func noInstance(_ number: Int32) -> CallFailure {
        because(.argument, "there is no instance \(number): it was not started, or was freed")
    }
}

// As `with`, for a call whose success is 0.
private func outcome(_ instance: Int32, _ body: (LibraryNode) throws(CallFailure) -> Void) -> Int32 {
    with(instance) { (library) throws(CallFailure) in
        try body(library)
        return 0
    }
}

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
        // Its callback may have been told of the stack already: that thread ends too.
        try? node.free()
        return Generation.first.fail(CallFailure(error))
    }
}

@c @implementation
public func zts_instance_stop(_ instance: Int32) -> Int32 {
    outcome(instance) { (library) throws(CallFailure) in
        try living { () throws(LifeFailure) in try library.stop() }
    }
}

@c @implementation
public func zts_instance_start_again(_ instance: Int32) -> Int32 {
    outcome(instance) { (library) throws(CallFailure) in
        let settings = library.state.withLock { $0.settings }
        try living { () throws(LifeFailure) in try library.start(settings) }
    }
}

@c @implementation
public func zts_instance_restart(_ instance: Int32) -> Int32 {
    outcome(instance) { (library) throws(CallFailure) in
        try living { () throws(LifeFailure) in try library.restart() }
    }
}

@c @implementation
public func zts_instance_is_running(_ instance: Int32) -> Int32 { with(instance) { $0.isStarted ? 1 : 0 } }

@c @implementation
public func zts_instance_free(_ instance: Int32) -> Int32 {
    with(instance) { (node) throws(CallFailure) in
        try living { () throws(LifeFailure) in try node.free() }
        _ = LibraryInstances.remove(instance)
        return 0
    }
}

@c @implementation
public func zts_instance_is_online(_ instance: Int32) -> Int32 { with(instance) { $0.isOnline ? 1 : 0 } }

@c @implementation
public func zts_instance_get_node_id(_ instance: Int32) -> UInt64 {
    Generation.first.identifier { () throws(CallFailure) in
        guard let library = LibraryInstances.node(instance) else { throw .noInstance(instance) }
        return try library.needRunning().id.value
    }
}

@c @implementation
public func zts_instance_get_node_status(_ instance: Int32) -> Int32 {
    with(instance) { $0.isOnline ? ZTS_EVENT_NODE_ONLINE : ZTS_EVENT_NODE_OFFLINE }
}

// MARK: Networks

@c @implementation
public func zts_instance_join(_ instance: Int32, _ nwid: UInt64) -> Int32 {
    outcome(instance) { (library) throws(CallFailure) in
        guard nwid != 0 else { throw .noNetworkID }
        let node = try library.needRunning()
        _ = try asking { () throws(ZeroTierError) in try node.startJoining(NetworkID(nwid)) }
    }
}

@c @implementation
public func zts_instance_leave(_ instance: Int32, _ nwid: UInt64) -> Int32 {
    outcome(instance) { (library) throws(CallFailure) in
        let node = try library.needRunning()
        try asking { () throws(ZeroTierError) in try node.leave(NetworkID(nwid)) }
    }
}

@c @implementation
public func zts_instance_get_num_joined_networks(_ instance: Int32) -> Int32 {
    with(instance) { (library) throws(CallFailure) in try networkCount(of: try library.needRunning()) }
}

@c @implementation
public func zts_instance_get_network_status(_ instance: Int32, _ nwid: UInt64) -> Int32 {
    with(instance) { (library) throws(CallFailure) in
        guard nwid != 0 else { throw .noNetworkID }
        return statusCode(try details(nwid, of: try library.needRunning()).status)
    }
}

@c @implementation
public func zts_instance_get_network_details(
    _ instance: Int32, _ nwid: UInt64, _ nd: UnsafeMutablePointer<zts_network_details>?
) -> Int32 {
    outcome(instance) { (library) throws(CallFailure) in unsafe try describe(nwid, of: library, to: nd) }
}

@c @implementation
public func zts_instance_get_all_network_details(
    _ instance: Int32, _ nds: UnsafeMutablePointer<zts_network_details>?, _ num: UnsafeMutablePointer<Int32>?
) -> Int32 {
    outcome(instance) { (library) throws(CallFailure) in
        unsafe try describeNetworks(of: library, to: nds, count: num)
    }
}

@c @implementation
public func zts_instance_get_num_assigned_addresses(_ instance: Int32, _ nwid: UInt64) -> Int32 {
    with(instance) { (library) throws(CallFailure) in
        Int32(clamping: try details(nwid, of: try library.needRunning()).status.addresses.count)
    }
}

@c @implementation
public func zts_instance_get_address_at_index(
    _ instance: Int32, _ nwid: UInt64, _ index: Int32, _ addr: UnsafeMutablePointer<sockaddr>?,
    _ addrlen: UnsafeMutablePointer<socklen_t>?
) -> Int32 {
    outcome(instance) { (library) throws(CallFailure) in
        unsafe try address(nwid, at: index, of: library, to: addr, addrlen)
    }
}

@c @implementation
public func zts_instance_get_address(
    _ instance: Int32, _ nwid: UInt64, _ addr: UnsafeMutablePointer<sockaddr_storage>?, _ address_family: Int32
) -> Int32 {
    outcome(instance) { (library) throws(CallFailure) in
        try unsafe address(nwid, family: address_family, of: library, to: addr)
    }
}

// MARK: Roots, peers, statistics

@c @implementation
public func zts_instance_orbit(_ instance: Int32, _ moonWorldId: UInt64, _ moonSeed: UInt64) -> Int32 {
    outcome(instance) { (library) throws(CallFailure) in
        guard moonWorldId != 0 else { throw .noMoonID }
        try orbit(moonWorldId, seed: moonSeed, on: try library.needRunning())
    }
}

@c @implementation
public func zts_instance_deorbit(_ instance: Int32, _ moonWorldId: UInt64) -> Int32 {
    outcome(instance) { (library) throws(CallFailure) in try deorbit(moonWorldId, on: try library.needRunning()) }
}

@c @implementation
public func zts_instance_get_peer_count(_ instance: Int32) -> Int32 {
    with(instance) { (library) throws(CallFailure) in try peerCount(of: try library.needRunning()) }
}

@c @implementation
public func zts_instance_get_peers(
    _ instance: Int32, _ pds: UnsafeMutablePointer<zts_peer_details>?, _ num: UnsafeMutablePointer<Int32>?
) -> Int32 {
    outcome(instance) { (library) throws(CallFailure) in
        unsafe try describePeers(to: pds, count: num) { () throws(CallFailure) in try library.needRunning() }
    }
}

@c @implementation
public func zts_instance_get_peer(
    _ instance: Int32, _ pd: UnsafeMutablePointer<zts_peer_details>?, _ peerId: UInt64
) -> Int32 {
    outcome(instance) { (library) throws(CallFailure) in
        unsafe try describePeer(peerId, to: pd) { () throws(CallFailure) in try library.needRunning() }
    }
}

@c @implementation
public func zts_instance_get_peer_status(_ instance: Int32, _ peerId: UInt64) -> Int32 {
    with(instance) { (library) throws(CallFailure) in try peerCode(peerId, of: try library.needRunning()) }
}

@c @implementation
public func zts_instance_get_all_stats(_ instance: Int32, _ statsDest: UnsafeMutablePointer<zts_stats>?) -> Int32 {
    outcome(instance) { (library) throws(CallFailure) in unsafe try fillStatistics(statsDest, of: library) }
}

@c @implementation
public func zts_instance_get_protocol_stats(
    _ instance: Int32, _ protocolType: Int32, _ protoStatsDest: UnsafeMutableRawPointer?
) -> Int32 {
    outcome(instance) { (library) throws(CallFailure) in
        unsafe try fillStatistics(protoStatsDest, ofProtocol: protocolType, of: library)
    }
}

// MARK: Sockets

@c @implementation
public func zts_instance_socket(
    _ instance: Int32, _ socket_family: Int32, _ socket_type: Int32, _ protocol: Int32
) -> Int32 {
    with(instance) { (library) throws(CallFailure) in
        try library.needStarted()
        let result = SocketCalls.run { () throws(SocketError) in
            try Int(
                library.layer.socket(
                    family: SocketCalls.outsideFamily(socket_family), type: socket_type, protocol: `protocol`))
        }
        return result < 0 ? Int32(result) : instance << SocketPlace.instanceShift | Int32(result)
    }
}
