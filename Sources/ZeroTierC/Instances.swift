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
    private static let nextNumber = Atomic<Int32>(0)
    /// Numbers, and so nodes, of one process.
    private static let largest: Int32 = 2047

    static func node(_ instance: Int32) -> LibraryNode? { table.withLock { $0[instance] } }

    static var hasAny: Bool { table.withLock { !$0.isEmpty } }

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
            throw .because(.argument, "there is no instance \(instance)")
        }
        return try body(node)
    }
}

@c @implementation
public func zts_instance_start(
    _ path: UnsafePointer<CChar>?, _ callback: zts_instance_callback?, _ context: UnsafeMutableRawPointer?,
    _ port: Int32
) -> Int32 {
    guard let port = UInt16(exactly: port) else { return CallFailure.argument.generation1 }
    var settings = RunSettings()
    settings.path = unsafe path.map { unsafe String(cString: $0) }
    settings.port = port
    if settings.path == "" { return CallFailure.argument.generation1 }
    let node = LibraryNode(layer: SocketLayer())
    guard let number = LibraryInstances.add(node) else {
        return Generation.first.code(.because(.general, "too many instances"))
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
        return Generation.first.code(CallFailure(error))
    }
}

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
    guard let node = LibraryInstances.node(instance) else {
        return UInt64(bitPattern: Int64(CallFailure.argument.generation1))
    }
    return node.node?.id.value ?? UInt64(bitPattern: Int64(CallFailure.service.generation1))
}

@c @implementation
public func zts_instance_join(_ instance: Int32, _ nwid: UInt64) -> Int32 {
    with(instance) { (library) throws(CallFailure) in
        guard nwid != 0 else { throw .argument }
        let node = try library.needRunning()
        try asking { () throws(ZeroTierError) in try node.startJoining(NetworkID(nwid)) }
        return 0
    }
}

@c @implementation
public func zts_instance_leave(_ instance: Int32, _ nwid: UInt64) -> Int32 {
    with(instance) { (library) throws(CallFailure) in
        let node = try library.needRunning()
        try asking { () throws(ZeroTierError) in try node.leave(NetworkID(nwid)) }
        return 0
    }
}

@c @implementation
public func zts_instance_get_network_status(_ instance: Int32, _ nwid: UInt64) -> Int32 {
    with(instance) { (library) throws(CallFailure) in
        guard nwid != 0 else { throw .argument }
        return statusCode(try details(nwid, of: try library.needRunning()).status)
    }
}

@c @implementation
public func zts_instance_get_address(
    _ instance: Int32, _ nwid: UInt64, _ addr: UnsafeMutablePointer<sockaddr_storage>?, _ address_family: Int32
) -> Int32 {
    with(instance) { (library) throws(CallFailure) in
        try unsafe address(nwid, family: address_family, of: library, to: addr)
        return 0
    }
}

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
