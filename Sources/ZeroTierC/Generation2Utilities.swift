// Generation 2: signing root sets, and addresses as text. Read first: ZeroTierSockets.h.
// Public functions are documented in the header that declares them.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

public import CZeroTier
import Glibc
import NetPrimitives
import ZeroTier
import ZeroTierSockets

private let addressRoom = Int(ZTS_IP_MAX_STR_LEN)
private let noFamily: Int32 = -1
private let noAddress = "the text is no address"

@c @implementation
public func zts_util_delay(_ milliseconds: UInt) {
    var left = timespec(tv_sec: Int(clamping: milliseconds / 1000), tv_nsec: Int(milliseconds % 1000) * 1_000_000)
    var rest = timespec()
    while unsafe nanosleep(&left, &rest) != 0, errno == EINTR { left = rest }
}

@c @implementation
public func zts_util_get_ip_family(_ ipstr: UnsafePointer<CChar>?) -> Int32 {
    guard let text = unsafe ipstr, let address = IPAddress(unsafe String(cString: text)) else {
        LastMessage.set(noAddress)
        return noFamily
    }
    return address.isIPv4 ? ZTS_AF_INET : ZTS_AF_INET6
}

@c @implementation
public func zts_util_ipstr_to_saddr(
    _ src_ipstr: UnsafePointer<CChar>?, _ port: UInt16, _ dstaddr: UnsafeMutablePointer<zts_sockaddr>?,
    _ addrlen: UnsafeMutablePointer<zts_socklen_t>?
) -> Int32 {
    guard let text = unsafe src_ipstr, let address = IPAddress(unsafe String(cString: text)) else {
        return Generation.second.refuse(noAddress)
    }
    guard let target = unsafe dstaddr, let length = unsafe addrlen else {
        return Generation.second.refuse("dstaddr or addrlen is NULL")
    }
    guard unsafe length.pointee >= (address.isIPv4 ? AddressMemory.sizeIPv4 : AddressMemory.sizeIPv6) else {
        return Generation.second.refuse(AddressMemory.lengths)
    }
    unsafe AddressMemory.write(SocketEndpoint(address, port: port), to: target, length: length)
    return 0
}

@c @implementation
public func zts_util_ntop(
    _ addr: UnsafeMutablePointer<zts_sockaddr>?, _ addrlen: zts_socklen_t, _ dst_str: UnsafeMutablePointer<CChar>?,
    _ len: Int32, _ port: UnsafeMutablePointer<UInt16>?
) -> Int32 {
    guard let source = unsafe addr, AddressMemory.isPlausible(addrlen) else {
        return Generation.second.refuse("addr is NULL, or of no known length: " + AddressMemory.lengths)
    }
    guard let target = unsafe dst_str, Int(len) == addressRoom else {
        return Generation.second.refuse("there is no buffer of exactly ZTS_IP_MAX_STR_LEN bytes")
    }
    do throws(SocketError) {
        // The family says how long the address is. Programs pass the size of the memory that holds it.
        let size = unsafe source.pointee.sa_family == 2 ? AddressMemory.sizeIPv4 : addrlen
        guard case .endpoint(let endpoint) = unsafe try AddressMemory.read(source, length: size),
            unsafe put(endpoint.address.description, target, room: Int(len))
        else { return Generation.second.refuse("the address has no family") }
        unsafe port?.pointee = endpoint.port
        return 0
    } catch {
        return Generation.second.refuse(error.reason ?? "this is no address")
    }
}

@c @implementation
public func zts_ipaddr_ntoa(_ addr: UnsafePointer<zts_ip_addr>?) -> UnsafeMutablePointer<CChar>? {
    guard let address = unsafe addr, let results = unsafe czerotier_results() else {
        LastMessage.set("addr is NULL")
        return nil
    }
    let text = unsafe elements(results, \.text, as: CChar.self)
    return unsafe put(read(address).description, text, room: addressRoom) ? text : nil
}

@c @implementation
public func zts_ipaddr_aton(_ cp: UnsafePointer<CChar>?, _ addr: UnsafeMutablePointer<zts_ip_addr>?) -> Int32 {
    guard let text = unsafe cp, let target = unsafe addr, let address = IPAddress(unsafe String(cString: text)) else {
        LastMessage.set(unsafe addr == nil ? "addr is NULL" : noAddress)
        return 0
    }
    unsafe write(address, to: target)
    return 1
}

@c @implementation
public func zts_inet_ntop(
    _ family: Int32, _ src: UnsafeRawPointer?, _ dst: UnsafeMutablePointer<CChar>?, _ size: zts_socklen_t
) -> UnsafePointer<CChar>? {
    guard let source = unsafe src, let target = unsafe dst else {
        LastMessage.set("src or dst is NULL")
        return nil
    }
    let address: IPAddress
    switch family {
    case ZTS_AF_INET: address = unsafe AddressMemory.readIPv4(source)
    case ZTS_AF_INET6: address = unsafe AddressMemory.readIPv6(source)
    default:
        _ = SocketCalls.fail(.familyNotSupported)
        return nil
    }
    guard unsafe put(address.description, target, room: Int(size)) else {
        // ENOSPC
        czerotier_fail(28)
        return nil
    }
    return unsafe UnsafePointer(target)
}

@c @implementation
public func zts_inet_pton(_ family: Int32, _ src: UnsafePointer<CChar>?, _ dst: UnsafeMutableRawPointer?) -> Int32 {
    guard family == ZTS_AF_INET || family == ZTS_AF_INET6 else {
        return Int32(SocketCalls.fail(.familyNotSupported))
    }
    guard let text = unsafe src, let target = unsafe dst, let address = IPAddress(unsafe String(cString: text)),
        address.isIPv4 == (family == ZTS_AF_INET)
    else {
        LastMessage.set(unsafe src == nil || dst == nil ? "src or dst is NULL" : noAddress + " of this family")
        return 0
    }
    unsafe AddressMemory.writeBytes(address, to: target)
    return 1
}

// MARK: Root sets

private let keyBytes = 128

// A key of the working directory: 64 bytes public, 64 bytes secret.
private func storedKey(_ name: String) -> RootSet.SigningKey? {
    let file = unsafe fopen(name, "rb")
    guard let file = unsafe file else { return nil }
    defer { unsafe fclose(file) }
    var bytes = [UInt8](repeating: 0, count: keyBytes)
    // Sound: reads at most the array's size.
    guard unsafe fread(&bytes, 1, keyBytes, file) == keyBytes else { return nil }
    return try? RootSet.SigningKey(bytes: Array(bytes[64...]))
}

private func export(
    _ bytes: [UInt8], _ target: UnsafeMutablePointer<CChar>, _ length: UnsafeMutablePointer<UInt32>
) throws {
    guard unsafe Int(length.pointee) >= bytes.count else {
        throw CallFailure.because(.argument, "\(bytes.count) bytes are needed")
    }
    for (index, byte) in bytes.enumerated() { unsafe target[index] = CChar(bitPattern: byte) }
    unsafe length.pointee = UInt32(bytes.count)
}

// The roots that the program describes: identities and endpoints as text, each list up to the first NULL.
private func roots(_ specification: UnsafeMutablePointer<zts_root_set_t>) throws -> [RootSet.Root] {
    let identities = unsafe elements(specification, \.public_id_str, as: UnsafeMutablePointer<CChar>?.self)
    let endpoints = unsafe elements(specification, \.endpoint_ip_str, as: UnsafeMutablePointer<CChar>?.self)
    let perRoot = Int(ZTS_MAX_ENDPOINTS_PER_ROOT)
    var result: [RootSet.Root] = []
    for index in 0..<Int(ZTS_MAX_NUM_ROOTS) {
        guard let text = unsafe identities[index], unsafe text.pointee != 0 else { break }
        guard let identity = try? Identity(text: unsafe String(cString: text)) else {
            throw CallFailure.because(.argument, "root \(index) has no identity")
        }
        var places: [SocketEndpoint] = []
        for place in 0..<perRoot {
            guard let text = unsafe endpoints[index * perRoot + place], unsafe text.pointee != 0 else { break }
            guard let endpoint = SocketEndpoint(unsafe String(cString: text)) else {
                throw CallFailure.because(.argument, "root \(index) has an endpoint that is none")
            }
            places.append(endpoint)
        }
        result.append(RootSet.Root(identity: identity, endpoints: places))
    }
    guard (1...4).contains(result.count) else { throw CallFailure.because(.argument, "a planet has one to four roots") }
    return result
}

@c @implementation
public func zts_util_sign_root_set(
    _ roots_out: UnsafeMutablePointer<CChar>?, _ roots_len: UnsafeMutablePointer<UInt32>?,
    _ prev_key: UnsafeMutablePointer<CChar>?, _ prev_key_len: UnsafeMutablePointer<UInt32>?,
    _ curr_key: UnsafeMutablePointer<CChar>?, _ curr_key_len: UnsafeMutablePointer<UInt32>?, _ id: UInt64,
    _ ts: UInt64, _ roots_spec: UnsafeMutablePointer<zts_root_set_t>?
) -> Int32 {
    Generation.second.outcome {
        guard let target = unsafe roots_out, let length = unsafe roots_len, let previous = unsafe prev_key,
            let previousLength = unsafe prev_key_len, let current = unsafe curr_key,
            let currentLength = unsafe curr_key_len, let specification = unsafe roots_spec
        else { throw CallFailure.because(.argument, "one of the pointers is NULL") }
        let roots = unsafe try roots(specification)
        let currentKey = storedKey("current.c25519") ?? RootSet.SigningKey()
        let previousKey = storedKey("previous.c25519") ?? currentKey
        // The previous key signs this version, the current one the next.
        let planet = RootSet(
            id: id, timestampMilliseconds: ts, roots: roots, signedWith: previousKey, updateKey: currentKey)
        unsafe try export(planet.bytes, target, length)
        unsafe try export(previousKey.publicBytes + previousKey.bytes, previous, previousLength)
        unsafe try export(currentKey.publicBytes + currentKey.bytes, current, currentLength)
    }
}
