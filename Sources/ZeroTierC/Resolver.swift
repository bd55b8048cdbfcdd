// Name lookups over the virtual networks: the functions of both generations.
// Read first: Node+Names.swift; gethostbyname(3).
// Public functions are documented in the header that declares them.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

public import CZeroTier
import NetPrimitives
import ZeroTier
import ZeroTierLibrary
import ZeroTierSockets

/// The result of a lookup, in the calling thread's room.
enum Resolver {
    /// Looks a name of the program up, and fills the thread's room. Nil, and a message, if nothing is found.
    static func results(
        _ name: UnsafePointer<CChar>?
    ) -> (UnsafeMutablePointer<czerotier_results>, isIPv4: Bool)? {
        unsafe CallingThread.run {
            guard let name = unsafe name else {
                LastMessage.set("name is NULL")
                return nil
            }
            guard LibraryNode.shared.isStarted else {
                LastMessage.set(CallFailure.notRunning.reason)
                return nil
            }
            return unsafe fillResults(String(cString: name))
        }
    }

    // Puts addresses of one family and the name into the thread's room. Nil if there are none.
    private static func fillResults(_ name: String) -> (UnsafeMutablePointer<czerotier_results>, isIPv4: Bool)? {
        let found: [IPAddress]
        do {
            found = try NameServers.addresses(of: name)
        } catch {
            LastMessage.set(CallFailure(error).reason)
            return nil
        }
        guard let head = found.first, let results = unsafe czerotier_results() else {
            LastMessage.set("there is no memory for the answer")
            return nil
        }
        // Sound: the thread's own room; counts are bounded by its arrays.
        let names = unsafe elements(results, \.name, as: CChar.self)
        let text = Array(name.utf8.prefix(255))
        for (index, byte) in text.enumerated() { unsafe names[index] = CChar(bitPattern: byte) }
        unsafe names[text.count] = 0
        let pointers = unsafe elements(results, \.addresses, as: UnsafeMutablePointer<CChar>?.self)
        let bytes = unsafe elements(results, \.bytes, as: CChar.self)
        var count = 0
        for address in found.prefix(DNSAnswerReader.mostAddresses) {
            unsafe AddressMemory.writeBytes(address, to: bytes + 16 * count)
            unsafe pointers[count] = bytes + 16 * count
            count += 1
        }
        unsafe pointers[count] = nil
        unsafe elements(results, \.aliases, as: UnsafeMutablePointer<CChar>?.self).pointee = nil
        return unsafe (results, head.isIPv4)
    }
}

// MARK: Generation 1

// A server's address in either layout.
private func server(_ addr: UnsafeMutablePointer<sockaddr>?) throws -> SocketEndpoint {
    guard let address = unsafe addr else { throw CallFailure.because(.argument, "addr is NULL") }
    do throws(SocketError) {
        // The interface has no length: the bytes that the family needs have to be there.
        let first = unsafe try AddressMemory.read(address, length: AddressMemory.sizeHostStorage)
        guard case .endpoint(let endpoint) = first, !endpoint.address.isUnspecified else {
            throw SocketError(.invalid, "the address has no family, or is that of no host")
        }
        return endpoint
    } catch {
        throw CallFailure.because(.argument, error.reason ?? "this is no address")
    }
}

@c @implementation
public func zts_add_dns_nameserver(_ addr: UnsafeMutablePointer<sockaddr>?) -> Int32 {
    Generation.first.outcome {
        let endpoint = unsafe try server(addr)
        try LibraryNode.shared.needStarted()
        if !NameServers.add(endpoint) {
            throw CallFailure.because(.general, "there are \(NameServers.limit) name servers already")
        }
    }
}

@c @implementation
public func zts_del_dns_nameserver(_ addr: UnsafeMutablePointer<sockaddr>?) -> Int32 {
    Generation.first.outcome {
        let endpoint = unsafe try server(addr)
        try LibraryNode.shared.needStarted()
        if !NameServers.remove(endpoint) { throw CallFailure.because(.noResult, "there is no such name server") }
    }
}

@c @implementation
public func zts_gethostbyname(_ name: UnsafePointer<CChar>?) -> UnsafeMutablePointer<hostent>? {
    guard let (results, isIPv4) = unsafe Resolver.results(name) else { return nil }
    unsafe results.pointee.host = hostent(
        h_name: elements(results, \.name, as: CChar.self),
        h_aliases: elements(results, \.aliases, as: UnsafeMutablePointer<CChar>?.self),
        h_addrtype: isIPv4 ? AF_INET : AF_INET6, h_length: isIPv4 ? 4 : 16,
        h_addr_list: elements(results, \.addresses, as: UnsafeMutablePointer<CChar>?.self))
    return unsafe elements(results, \.host, as: hostent.self)
}

// MARK: Generation 2

@c @implementation
public func zts_bsd_gethostbyname(_ name: UnsafePointer<CChar>?) -> UnsafeMutablePointer<zts_hostent>? {
    guard let (results, isIPv4) = unsafe Resolver.results(name) else { return nil }
    unsafe results.pointee.zts_host = zts_hostent(
        h_name: elements(results, \.name, as: CChar.self),
        h_aliases: elements(results, \.aliases, as: UnsafeMutablePointer<CChar>?.self),
        h_addrtype: isIPv4 ? ZTS_AF_INET : ZTS_AF_INET6, h_length: isIPv4 ? 4 : 16,
        h_addr_list: elements(results, \.addresses, as: UnsafeMutablePointer<CChar>?.self))
    return unsafe elements(results, \.zts_host, as: zts_hostent.self)
}

// Servers that generation 2 sees.
private let visibleServers: UInt8 = 2

@c @implementation
public func zts_dns_set_server(_ index: UInt8, _ addr: UnsafePointer<zts_ip_addr>?) -> Int32 {
    guard index < visibleServers else { return Generation.second.refuse("the index is neither 0 nor 1") }
    let endpoint = unsafe addr.map { unsafe SocketEndpoint(read($0), port: 0) }
    NameServers[Int(index)] = endpoint
    return 0
}

@c @implementation
public func zts_dns_get_server(_ index: UInt8) -> UnsafePointer<zts_ip_addr>? {
    guard index < visibleServers, let endpoint = NameServers[Int(index)],
        let results = unsafe czerotier_results()
    else {
        LastMessage.set(index < visibleServers ? "no name server was set" : "the index is neither 0 nor 1")
        return nil
    }
    let target = unsafe elements(results, \.server, as: zts_ip_addr.self)
    unsafe write(endpoint.address, to: target)
    return unsafe UnsafePointer(target)
}

/// An address in the form of generation 2's DNS functions.
func read(_ address: UnsafePointer<zts_ip_addr>) -> IPAddress {
    unsafe address.pointee.type == 6 ? AddressMemory.readIPv6(address) : AddressMemory.readIPv4(address)
}

func write(_ address: IPAddress, to target: UnsafeMutablePointer<zts_ip_addr>) {
    unsafe memset(target, 0, MemoryLayout<zts_ip_addr>.size)
    unsafe AddressMemory.writeBytes(address, to: target)
    unsafe target.pointee.type = address.isIPv4 ? 0 : 6
}
