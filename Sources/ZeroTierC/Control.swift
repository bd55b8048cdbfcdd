// Generation 1: the service and its networks. Read first: ZeroTier.h.
// Public functions are documented in the header that declares them.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

public import CZeroTier
import Glibc
import NetPrimitives
import Synchronization
import ZeroTier

private let library = LibraryNode.shared

private func first(_ body: () throws(CallFailure) -> Int32) -> Int32 { Generation.first.result(body) }

private func first(_ body: () throws(CallFailure) -> Void) -> Int32 { Generation.first.outcome(body) }

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

/// Starts, with the code of a generation; a missing thread is the system's positive number.
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

/// Runs a step of the life cycle.
func living(_ body: () throws(LifeFailure) -> Void) throws(CallFailure) {
    do throws(LifeFailure) {
        try body()
    } catch {
        throw CallFailure(error)
    }
}

@c @implementation
public func zts_stop() -> Int32 {
    first { () throws(CallFailure) -> Void in try living { () throws(LifeFailure) in try library.stop() } }
}

@c @implementation
public func zts_restart() -> Int32 {
    first { () throws(CallFailure) -> Void in try living { () throws(LifeFailure) in try library.restart() } }
}

@c @implementation
public func zts_free() -> Int32 {
    first { () throws(CallFailure) -> Void in try living { () throws(LifeFailure) in try library.free() } }
}

@c @implementation
public func zts_core_running() -> Int32 { library.isStarted ? 1 : 0 }

@c @implementation
public func zts_get_path(_ homePath: UnsafeMutablePointer<CChar>?, _ len: UnsafeMutablePointer<Int>?) -> Int32 {
    first { () throws(CallFailure) -> Void in
        guard unsafe homePath != nil, let length = unsafe len else {
            throw .because(.argument, "homePath or len is NULL")
        }
        guard let path = library.path else { throw .because(.service, "the service was never started, or freed") }
        try unsafe copy(path, to: homePath, length: length)
    }
}

/// Copies a text with its final zero if there is room; `length` tells the room, then the text's length or the room needed.
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
public func zts_get_node_id() -> UInt64 {
    Generation.first.identifier { () throws(CallFailure) in try library.needRunning().id.value }
}

@c @implementation
public func _zts_can_perform_service_operation() -> Int32 { library.onlineNode == nil ? 0 : 1 }

// MARK: Networks

@c @implementation
public func zts_join(_ nwid: UInt64) -> Int32 {
    first { () throws(CallFailure) -> Void in
        guard nwid != 0 else { throw .noNetworkID }
        let node = try library.needOnline()
        _ = try asking { () throws(ZeroTierError) in try node.startJoining(NetworkID(nwid)) }
    }
}

@c @implementation
public func zts_leave(_ nwid: UInt64) -> Int32 {
    first { () throws(CallFailure) -> Void in
        let node = try library.needOnline()
        try asking { () throws(ZeroTierError) in try node.leave(NetworkID(nwid)) }
    }
}

@c @implementation
public func zts_leave_all() -> Int32 {
    first { () throws(CallFailure) -> Void in
        let node = try library.needOnline()
        try asking { () throws(ZeroTierError) in
            for network in try node.networks() { try node.leave(network.id) }
        }
    }
}

@c @implementation
public func zts_get_num_joined_networks() -> Int32 {
    first { () throws(CallFailure) -> Int32 in try networkCount(of: try library.needOnline()) }
}

/// How many networks are joined.
func networkCount(of node: Node) throws(CallFailure) -> Int32 {
    Int32(clamping: try asking { () throws(ZeroTierError) in try node.networks() }.count)
}

/// The details of one network; nil if it is not joined.
func detailsIfJoined(_ nwid: UInt64, of node: Node) throws(CallFailure) -> NetworkDetails? {
    let all = try asking { () throws(ZeroTierError) in try node.networkDetails() }
    return all.first { $0.status.id.value == nwid }
}

/// The details of one network.
func details(_ nwid: UInt64, of node: Node) throws(CallFailure) -> NetworkDetails {
    guard let found = try detailsIfJoined(nwid, of: node) else {
        throw .because(.noResult, "network \(NetworkID(nwid)) is not joined")
    }
    return found
}

@c @implementation
public func zts_get_network_details(_ nwid: UInt64, _ nd: UnsafeMutablePointer<zts_network_details>?) -> Int32 {
    first { () throws(CallFailure) -> Void in unsafe try describe(nwid, of: library, to: nd) }
}

/// Writes the details of one network.
func describe(
    _ nwid: UInt64, of library: LibraryNode, to nd: UnsafeMutablePointer<zts_network_details>?
) throws(CallFailure) {
    guard nwid != 0 else { throw .noNetworkID }
    guard let target = unsafe nd else { throw .because(.argument, "nd is NULL") }
    let found = try details(nwid, of: try library.needRunning())
    unsafe memset(target, 0, MemoryLayout<zts_network_details>.size)
    unsafe Details.fill(target, found)
}

@c @implementation
public func zts_get_all_network_details(
    _ nds: UnsafeMutablePointer<zts_network_details>?, _ num: UnsafeMutablePointer<Int32>?
) -> Int32 {
    first { () throws(CallFailure) -> Void in unsafe try describeNetworks(of: library, to: nds, count: num) }
}

/// Writes the details of all networks for which there is room.
func describeNetworks(
    of library: LibraryNode, to nds: UnsafeMutablePointer<zts_network_details>?,
    count: UnsafeMutablePointer<Int32>?
) throws(CallFailure) {
    guard let target = unsafe nds, let count = unsafe count else { throw .because(.argument, "nds or num is NULL") }
    guard unsafe count.pointee >= 0 else { throw .because(.argument, "num is negative") }
    let node = try library.needRunning()
    let all = try asking { () throws(ZeroTierError) in try node.networkDetails() }.prefix(Int(unsafe count.pointee))
    for (index, network) in all.enumerated() {
        unsafe memset(target + index, 0, MemoryLayout<zts_network_details>.size)
        unsafe Details.fill(target + index, network)
    }
    unsafe count.pointee = Int32(all.count)
}

// MARK: Addresses

@c @implementation
public func zts_has_address(_ nwid: UInt64) -> Int32 {
    first { () throws(CallFailure) -> Int32 in
        guard nwid != 0 else { throw .noNetworkID }
        let found = try detailsIfJoined(nwid, of: try library.needRunning())
        return found?.status.addresses.isEmpty ?? true ? 0 : 1
    }
}

@c @implementation
public func zts_get_num_assigned_addresses(_ nwid: UInt64) -> Int32 {
    first { () throws(CallFailure) -> Int32 in
        Int32(clamping: try details(nwid, of: try library.needRunning()).status.addresses.count)
    }
}

@c @implementation
public func zts_get_address_at_index(
    _ nwid: UInt64, _ index: Int32, _ addr: UnsafeMutablePointer<sockaddr>?, _ addrlen: UnsafeMutablePointer<socklen_t>?
) -> Int32 {
    first { () throws(CallFailure) -> Void in unsafe try address(nwid, at: index, of: library, to: addr, addrlen) }
}

/// One of the addresses on a network.
func address(
    _ nwid: UInt64, at index: Int32, of library: LibraryNode, to addr: UnsafeMutablePointer<sockaddr>?,
    _ addrlen: UnsafeMutablePointer<socklen_t>?
) throws(CallFailure) {
    guard let target = unsafe addr, let length = unsafe addrlen else {
        throw .because(.argument, "addr or addrlen is NULL")
    }
    guard index >= 0 else { throw .because(.argument, "the index is negative") }
    let addresses = try details(nwid, of: try library.needRunning()).status.addresses
    guard index < addresses.count else {
        throw .because(.argument, "there are \(addresses.count) addresses, and none at \(index)")
    }
    let address = addresses[Int(index)].address
    let size: UInt32 = address.isIPv4 ? 16 : 28
    guard unsafe length.pointee >= size else { throw .because(.argument, "an address takes \(size) bytes") }
    unsafe memset(target, 0, Int(size))
    unsafe length.pointee = AddressMemory.writeHost(address, to: target)
}

/// The first address of a family, given in either numbering.
func address(
    _ nwid: UInt64, family: Int32, of library: LibraryNode, to addr: UnsafeMutablePointer<sockaddr_storage>?
) throws(CallFailure) {
    guard nwid != 0 else { throw .noNetworkID }
    guard let target = unsafe addr else { throw .because(.argument, "addr is NULL") }
    guard family == 2 || family == 10 || family == 30 else { throw .noFamily }
    let addresses = try details(nwid, of: try library.needRunning()).status.addresses.map(\.address)
    guard let address = addresses.first(where: { $0.isIPv4 == (family == 2) }) else {
        throw .noAddress
    }
    unsafe memset(target, 0, MemoryLayout<sockaddr_storage>.size)
    unsafe AddressMemory.writeHost(address, to: target)
}

@c @implementation
public func zts_get_address(
    _ nwid: UInt64, _ addr: UnsafeMutablePointer<sockaddr_storage>?, _ address_family: Int32
) -> Int32 {
    first { () throws(CallFailure) -> Void in
        try unsafe address(nwid, family: address_family, of: library, to: addr)
    }
}

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

/// The two ends as they come: the original does not order them either.
func adHocID(_ start: UInt16, _ end: UInt16) -> UInt64 {
    0xff << 56 | UInt64(start) << 40 | UInt64(end) << 24
}
