// Generation 2: settings before the start, and the node. Read first: ZeroTierSockets.h.
// Public functions are documented in the header that declares them.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

import CZeroTier
import NetPrimitives
import Synchronization
import ZeroTier
import ZeroTierLibrary

private let library = LibraryNode.shared

/// The settings of the `zts_init_*` functions so far.
private let pending = Mutex(RunSettings())

/// Texts of identities have buffers of this size.
private let identityRoom = Int(ZTS_ID_STR_BUF_LEN)

extension CallFailure {
    fileprivate static let noIdentityRoom = because(
        .argument, "there is no buffer of ZTS_ID_STR_BUF_LEN bytes, whose length is said too")
}

// Settings cannot be changed while the node runs.
private func configure(_ change: (inout RunSettings) throws -> Void) -> Int32 {
    Generation.second.outcome {
        if library.isBusy { throw CallFailure.because(.service, "the node runs: settings are made before the start") }
        try pending.withLock { try change(&$0) }
    }
}

/// The program's text of at most `limit` bytes, which may end early with a zero.
func text(_ memory: UnsafePointer<CChar>, _ limit: Int) -> String {
    // Sound: the program's promise of that many bytes.
    let bytes = unsafe UnsafeBufferPointer(start: memory, count: limit).prefix { $0 != 0 }
    return unsafe String(decoding: bytes.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// Writes a text with its zero, if there is room for both.
func put(_ text: String, _ target: UnsafeMutablePointer<CChar>, room: Int) -> Bool {
    let bytes = Array(text.utf8)
    guard bytes.count < room else { return false }
    for (index, byte) in bytes.enumerated() { unsafe target[index] = CChar(bitPattern: byte) }
    unsafe target[bytes.count] = 0
    return true
}

// MARK: Identities

@c @implementation
public func zts_id_new(_ key: UnsafeMutablePointer<CChar>?, _ key_buf_len: UnsafeMutablePointer<UInt32>?) -> Int32 {
    Generation.second.outcome {
        guard let target = unsafe key, let length = unsafe key_buf_len, unsafe Int(length.pointee) == identityRoom
        else { throw CallFailure.noIdentityRoom }
        guard let text = Identity.generate().secretText, unsafe put(text, target, room: identityRoom) else {
            throw CallFailure.because(.general, "the new identity does not fit into ZTS_ID_STR_BUF_LEN bytes")
        }
        unsafe length.pointee = UInt32(text.utf8.count)
    }
}

@c @implementation
public func zts_id_pair_is_valid(_ key: UnsafePointer<CChar>?, _ len: UInt32) -> Int32 {
    guard let key = unsafe key, Int(len) == identityRoom,
        let identity = try? Identity(text: unsafe text(key, identityRoom).trimmed)
    else { return 0 }
    return identity.hasSecret && identity.isValid ? 1 : 0
}

extension String {
    /// Without line ends and spaces at both ends.
    fileprivate var trimmed: String {
        String(drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
    }
}

// MARK: Settings

@c @implementation
public func zts_init_from_storage(_ path: UnsafePointer<CChar>?) -> Int32 {
    configure { settings in
        guard let path = unsafe path, unsafe path.pointee != 0 else {
            throw CallFailure.because(.argument, "the path is NULL or empty")
        }
        settings.path = unsafe String(cString: path)
    }
}

@c @implementation
public func zts_init_from_memory(_ key: UnsafePointer<CChar>?, _ len: UInt32) -> Int32 {
    configure { settings in
        guard let key = unsafe key, len > 0, Int(len) <= identityRoom else {
            throw CallFailure.because(.argument, "key is NULL or len is not in 1...\(identityRoom)")
        }
        let text = unsafe text(key, Int(len)).trimmed
        guard let identity = try? Identity(text: text), identity.hasSecret else {
            throw CallFailure.because(.argument, "this is not an identity with its secret")
        }
        settings.identity = text
    }
}

@c @implementation
public func zts_init_set_event_handler(_ callback: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?) -> Int32 {
    configure { settings in
        guard let callback = unsafe callback else { throw CallFailure.because(.argument, "the callback is NULL") }
        settings.sink = unsafe EventSink.generation2 { unsafe callback($0) }
    }
}

@c @implementation
public func zts_init_set_tcp_relay(_ tcp_relay_addr: UnsafePointer<CChar>?, _ tcp_relay_port: UInt16) -> Int32 {
    configure { _ in
        guard let address = unsafe tcp_relay_addr, IPAddress(unsafe String(cString: address)) != nil,
            tcp_relay_port != 0
        else { throw CallFailure.because(.argument, "the relay has no address or port 0") }
        throw CallFailure.because(.general, "this library does not relay over TCP")
    }
}

// Features that this library does not have can be switched off but not on: a success would be a lie.
private func absent(_ isWanted: Bool, _ reason: String) -> Int32 {
    configure { _ in
        if isWanted { throw CallFailure.because(.general, reason) }
    }
}

@c @implementation
public func zts_init_allow_tcp_relay(_ enabled: Int32) -> Int32 {
    absent(enabled != 0, "this library does not relay over TCP")
}

@c @implementation
public func zts_init_force_tcp_relay(_ enabled: Int32) -> Int32 {
    absent(enabled != 0, "this library does not relay over TCP")
}

@c @implementation
public func zts_init_blacklist_if(_ prefix: UnsafePointer<CChar>?, _ len: UInt32) -> Int32 {
    configure { settings in
        guard let prefix = unsafe prefix, (1...15).contains(len) else {
            throw CallFailure.because(.argument, "prefix is NULL or len is not in 1...15, as names of interfaces have")
        }
        let name = unsafe text(prefix, Int(len))
        guard !name.isEmpty else {
            throw CallFailure.because(.argument, "the prefix is empty and would mean every interface")
        }
        settings.refusedInterfaces.append(name)
    }
}

@c @implementation
public func zts_init_set_roots(_ roots_data: UnsafeRawPointer?, _ len: UInt32) -> Int32 {
    configure { settings in
        guard let data = unsafe roots_data, len > 0, len <= UInt32(ZTS_STORE_DATA_LEN) else {
            throw CallFailure.because(.argument, "roots_data is NULL or len is not in 1...ZTS_STORE_DATA_LEN")
        }
        // Sound: the program's promise of `len` bytes.
        let bytes = unsafe Array(UnsafeRawBufferPointer(start: data, count: Int(len)))
        guard let planet = try? RootSet(bytes: bytes), planet.kind == .planet else {
            throw CallFailure.because(.argument, "this is not a planet")
        }
        settings.planet = bytes
    }
}

@c @implementation
public func zts_init_set_low_bandwidth_mode(_ enabled: Int32) -> Int32 {
    absent(enabled != 0, "this library has no mode for low bandwidth")
}

@c @implementation
public func zts_init_set_port(_ port: UInt16) -> Int32 {
    configure { settings in settings.port = port }
}

@c @implementation
public func zts_init_set_random_port_range(_ start_port: UInt16, _ end_port: UInt16) -> Int32 {
    configure { settings in
        guard start_port > 0, start_port <= end_port else {
            throw CallFailure.because(.argument, "the range begins with port 0 or ends before it begins")
        }
        settings.portRange = start_port...end_port
    }
}

@c @implementation
public func zts_init_allow_secondary_port(_ allowed: UInt32) -> Int32 {
    absent(allowed != 0, "a node of this library has one port")
}

@c @implementation
public func zts_init_allow_port_mapping(_ allowed: UInt32) -> Int32 {
    absent(allowed != 0, "this library asks no gateway for a mapping")
}

private func cache(_ change: (inout CachingSwitches) -> Void) -> Int32 {
    configure { _ in library.switches.withLock { change(&$0) } }
}

@c @implementation
public func zts_init_allow_net_cache(_ allowed: UInt32) -> Int32 { cache { $0.networks = allowed != 0 } }

@c @implementation
public func zts_init_allow_peer_cache(_ allowed: UInt32) -> Int32 { cache { $0.peers = allowed != 0 } }

@c @implementation
public func zts_init_allow_roots_cache(_ allowed: UInt32) -> Int32 { cache { $0.roots = allowed != 0 } }

@c @implementation
public func zts_init_allow_id_cache(_ allowed: UInt32) -> Int32 { cache { $0.identity = allowed != 0 } }

// MARK: Node

@c @implementation
public func zts_node_start() -> Int32 {
    let settings = pending.withLock { $0 }
    library.announceStack(to: settings.sink)
    return start(settings, .second)
}

@c @implementation
public func zts_node_is_online() -> Int32 { library.isOnline ? 1 : 0 }

@c @implementation
public func zts_node_get_id() -> UInt64 { Surface.second.nodeID() }

@c @implementation
public func zts_node_get_id_pair(
    _ key: UnsafeMutablePointer<CChar>?, _ key_dst_len: UnsafeMutablePointer<UInt32>?
) -> Int32 {
    Surface.second.outcome { node in
        guard let target = unsafe key, let length = unsafe key_dst_len, unsafe Int(length.pointee) >= identityRoom
        else { throw CallFailure.noIdentityRoom }
        let text = try node.secretIdentityText()
        guard unsafe put(text, target, room: identityRoom) else { throw CallFailure.noIdentityRoom }
        unsafe length.pointee = UInt32(text.utf8.count)
    }
}

@c @implementation
public func zts_node_get_port() -> Int32 { Surface.second.value { Int32($0.port) } }

@c @implementation
public func zts_node_stop() -> Int32 { Surface.second.life { try $0.stop() } }

@c @implementation
public func zts_node_free() -> Int32 {
    Surface.second.life { library in
        try library.needStarted()
        try library.free()
    }
}

@c @implementation
public func zts_moon_orbit(_ moon_roots_id: UInt64, _ moon_seed: UInt64) -> Int32 {
    Surface.second.orbit(moon_roots_id, seed: moon_seed)
}

@c @implementation
public func zts_moon_deorbit(_ moon_roots_id: UInt64) -> Int32 { Surface.second.deorbit(moon_roots_id) }
