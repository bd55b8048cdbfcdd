// Generation 1: the service and its networks. Read first: ZeroTier.h.
// Public functions are documented in the header that declares them.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

public import CZeroTier
import NetPrimitives
import Synchronization
import ZeroTier
import ZeroTierLibrary

private let library = LibraryNode.shared

extension CallFailure {
    init(_ failure: LifeFailure) {
        switch failure {
        case .alreadyRunning:
            self = .because(.invalidOperation, "the service runs already, or its last event was not delivered yet")
        case .freed:
            self = .because(
                .invalidOperation, "everything was freed: the service cannot run any more in this process")
        case .notRunning: self = .notRunning
        case .system(let number):
            self = .because(.general, "the system gives no thread: \(unsafe String(cString: zts_strerror(number)!))")
        }
    }
}

// MARK: Service

@c @implementation
public func zts_set_network_caching(_ enabled: Bool) { library.switches.withLock { $0.networks = enabled } }

@c @implementation
public func zts_set_peer_caching(_ enabled: Bool) { library.switches.withLock { $0.peers = enabled } }

@c @implementation
public func zts_start(
    _ path: UnsafePointer<CChar>?,
    _ userCallbackFunc: (@convention(c) (UnsafeMutablePointer<zts_callback_msg>?) -> Void)?,
    _ port: Int32
) -> Int32 {
    if CallingThread.isForked { return Generation.first.fail(.forked) }
    let sink = unsafe userCallbackFunc.map { callback in unsafe EventSink.generation1 { unsafe callback($0) } }
    library.announceStack(to: sink)
    if library.isFreed { return Generation.first.fail(CallFailure(.freed)) }
    if library.isBusy { return Generation.first.fail(CallFailure(.alreadyRunning)) }
    guard let sink else { return Generation.first.refuse("the callback is NULL") }
    // Sound: a C string by the interface's promise.
    guard let path = unsafe path, unsafe path.pointee != 0 else {
        return Generation.first.refuse("the path is NULL or empty")
    }
    guard let port = UInt16(exactly: port) else {
        return Generation.first.refuse("the port is not in 0...65535")
    }
    var settings = RunSettings()
    settings.path = unsafe String(cString: path)
    settings.port = port
    settings.sink = sink
    return start(settings, .first)
}

/// Starts, and returns the code of a generation. If there is no thread, it is the system's positive error number.
func start(_ settings: RunSettings, _ generation: Generation) -> Int32 {
    if CallingThread.isForked { return generation.fail(.forked) }
    do throws(LifeFailure) {
        try CallingThread.run { () throws(LifeFailure) in try library.start(settings) }
        return 0
    } catch {
        let code = generation.fail(CallFailure(error))
        if case .system(let number) = error { return number }
        return code
    }
}

@c @implementation
public func zts_stop() -> Int32 { Surface.first.life { try $0.stop() } }

@c @implementation
public func zts_restart() -> Int32 { Surface.first.life { try $0.restart() } }

@c @implementation
public func zts_free() -> Int32 { Surface.first.life { try $0.free() } }

@c @implementation
public func zts_core_running() -> Int32 { Surface.first.isStarted }

@c @implementation
public func zts_get_path(_ homePath: UnsafeMutablePointer<CChar>?, _ len: UnsafeMutablePointer<Int>?) -> Int32 {
    Generation.first.outcome {
        guard unsafe homePath != nil, let length = unsafe len else { throw CallFailure.null("homePath or len") }
        guard let path = library.path else {
            throw CallFailure.because(.service, "the service was never started, or freed")
        }
        try unsafe copy(path, to: homePath, length: length)
    }
}

/// Copies a text with its final zero if there is room. `length` is the room before, and after it the text's length or the
/// room needed.
func copy(
    _ text: String, to target: UnsafeMutablePointer<CChar>?, length: UnsafeMutablePointer<Int>
) throws(CallFailure) {
    let bytes = Array(text.utf8)
    guard let target = unsafe target, unsafe length.pointee > bytes.count else {
        unsafe length.pointee = bytes.count + 1
        throw .because(.argument, "the text and its final 0 take \(bytes.count + 1) bytes, which len says now")
    }
    // Sound: the program's own length was checked.
    for (index, byte) in bytes.enumerated() { unsafe target[index] = CChar(bitPattern: byte) }
    unsafe target[bytes.count] = 0
    unsafe length.pointee = bytes.count
}

@c @implementation
public func zts_get_node_id() -> UInt64 { Surface.first.nodeID() }

@c @implementation
public func _zts_can_perform_service_operation() -> Int32 { library.onlineNode == nil ? 0 : 1 }

// MARK: Networks

@c @implementation
public func zts_join(_ nwid: UInt64) -> Int32 { Surface.first.join(nwid) }

@c @implementation
public func zts_leave(_ nwid: UInt64) -> Int32 { Surface.first.leave(nwid) }

@c @implementation
public func zts_leave_all() -> Int32 {
    Surface.first.outcome { node in
        for network in try node.networks() { try node.leave(network.id) }
    }
}

@c @implementation
public func zts_get_num_joined_networks() -> Int32 { Surface.first.networkCount() }

@c @implementation
public func zts_get_network_details(_ nwid: UInt64, _ nd: UnsafeMutablePointer<zts_network_details>?) -> Int32 {
    unsafe Surface.first.describe(nwid, to: nd)
}

@c @implementation
public func zts_get_all_network_details(
    _ nds: UnsafeMutablePointer<zts_network_details>?, _ num: UnsafeMutablePointer<Int32>?
) -> Int32 { unsafe Surface.first.describeNetworks(to: nds, count: num) }

// MARK: Addresses

@c @implementation
public func zts_has_address(_ nwid: UInt64) -> Int32 {
    Surface.first.value(.network(nwid), needs: .running) { node in
        try node.detailsIfJoined(nwid)?.status.addresses.isEmpty ?? true ? 0 : 1
    }
}

@c @implementation
public func zts_get_num_assigned_addresses(_ nwid: UInt64) -> Int32 { Surface.first.addressCount(nwid) }

@c @implementation
public func zts_get_address_at_index(
    _ nwid: UInt64, _ index: Int32, _ addr: UnsafeMutablePointer<sockaddr>?, _ addrlen: UnsafeMutablePointer<socklen_t>?
) -> Int32 { unsafe Surface.first.address(nwid, at: index, to: addr, addrlen) }

@c @implementation
public func zts_get_address(
    _ nwid: UInt64, _ addr: UnsafeMutablePointer<sockaddr_storage>?, _ address_family: Int32
) -> Int32 { unsafe Surface.first.address(nwid, family: address_family, to: addr) }

private func computed(
    _ addr: UnsafeMutablePointer<sockaddr_storage>?, _ nwid: UInt64, _ nodeID: UInt64,
    _ scheme: (NetworkID, NodeID) -> IPAddress
) -> Int32 {
    guard let target = unsafe addr else { return Generation.first.refuse("addr is NULL") }
    guard nwid != 0, nodeID != 0 else { return Generation.first.refuse("0 is no network ID and no node ID") }
    unsafe memset(target, 0, MemoryLayout<sockaddr_storage>.size)
    unsafe AddressMemory.writeHost(scheme(NetworkID(nwid), NodeID(nodeID)), to: target)
    return 0
}

@c @implementation
public func zts_get_6plane_addr(
    _ addr: UnsafeMutablePointer<sockaddr_storage>?, _ nwid: UInt64, _ nodeId: UInt64
) -> Int32 { unsafe computed(addr, nwid, nodeId) { $0.sixPlaneAddress(of: $1) } }

@c @implementation
public func zts_get_rfc4193_addr(
    _ addr: UnsafeMutablePointer<sockaddr_storage>?, _ nwid: UInt64, _ nodeId: UInt64
) -> Int32 { unsafe computed(addr, nwid, nodeId) { $0.rfc4193Address(of: $1) } }

@c @implementation
public func zts_generate_adhoc_nwid_from_range(_ startPortOfRange: UInt16, _ endPortOfRange: UInt16) -> UInt64 {
    adHocID(startPortOfRange, endPortOfRange)
}

/// The two ends are not put in order: the original does not do so either.
func adHocID(_ start: UInt16, _ end: UInt16) -> UInt64 {
    0xff << 56 | UInt64(start) << 40 | UInt64(end) << 24
}
