// Looking names up over the virtual networks, and the functions for it of both generations.
// Read first: DNSMessage.swift; gethostbyname(3); RFC 7766.
// Public functions are documented in the header that declares them.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

public import CZeroTier
import Glibc
import NetPrimitives
import Synchronization
import ZeroTier
import ZeroTierSockets

/// The name servers of this process, and questions to them.
enum Resolver {
    static let serverLimit = 8
    static let servers = Mutex<[SocketEndpoint?]>(Array(repeating: nil, count: serverLimit))

    /// How long each round waits for each server.
    private static let rounds: [Duration] = [.seconds(1), .seconds(2), .seconds(4)]
    private static let port: UInt16 = 53
    /// What is read of one answer. Datagrams without extensions are no longer; by TCP an answer has at most 65,535 bytes.
    private static let largestAnswer = 4096

    /// The addresses of a name: of IPv4, or if there are none, of IPv6.
    static func addresses(of name: String) -> [IPAddress] {
        if let literal = IPAddress(name) { return [literal] }
        // Never a question to others (RFC 6761 6.3).
        if isLocalhost(name) { return [IPAddress(v4: 0x7f00_0001)] }
        guard let domain = DomainName(name) else { return [] }
        for type in [DNSRecordType.ipv4, .ipv6] {
            guard let found = ask(domain, type) else { return [] }
            if !found.isEmpty { return found }
        }
        return []
    }

    private static func isLocalhost(_ name: String) -> Bool {
        var name = name.lowercased()[...]
        if name.hasSuffix(".") { name.removeLast() }
        return name == "localhost" || name.hasSuffix(".localhost")
    }

    // Nil: there is no such name, or nobody answered.
    private static func ask(_ name: DomainName, _ type: DNSRecordType) -> [IPAddress]? {
        let servers = servers.withLock { $0.compactMap(\.self) }
        for time in rounds {
            for server in servers {
                if CallingThread.isCancelled { return nil }
                let query = DNSQuery(id: UInt16.random(in: .min ... .max), name: name, type: type)
                switch ask(server, query, time) {
                case .addresses(let addresses): return addresses
                case .cut(let whole):
                    switch askByTCP(server, query, time) {
                    case .addresses(let addresses), .cut(let addresses): return addresses
                    case .noSuchName: return nil
                    // The server is not reached by TCP: what was whole is an answer all the same, but nothing is none.
                    case .serverFailure, .unrelated:
                        if whole.isEmpty { continue }
                        return whole
                    }
                case .noSuchName: return nil
                case .serverFailure, .unrelated: continue
                }
            }
        }
        return nil
    }

    // A socket connected to the server, closed after `body`; `.unrelated` if anything fails.
    private static func withSocket(
        _ type: Int32, to server: SocketEndpoint, _ time: Duration,
        _ body: (SocketLayer, Int32) throws(SocketError) -> DNSAnswer
    ) -> DNSAnswer {
        let layer = SocketLayer.shared
        do throws(SocketError) {
            let family = server.address.isIPv4 ? SocketLimits.familyIPv4 : SocketLimits.familyIPv6
            let socket = try layer.socket(family: family, type: type, protocol: 0)
            defer { try? layer.close(socket) }
            // It bounds the connecting too.
            try layer.setOption(socket, .sendTimeout, .duration(time))
            // Connected: datagrams of others do not reach us.
            try layer.connect(socket, to: SocketEndpoint(server.address, port: server.port == 0 ? port : server.port))
            return try body(layer, socket)
        } catch {
            return .unrelated
        }
    }

    // One question to one server; `.unrelated` if no answer came in time.
    private static func ask(_ server: SocketEndpoint, _ query: DNSQuery, _ time: Duration) -> DNSAnswer {
        withSocket(SocketLimits.typeDatagram, to: server, time) { (layer, socket) throws(SocketError) in
            let question = query.encoded
            // Sound: bytes have no padding.
            _ = unsafe try layer.send(socket, question.span.bytes, flags: [])
            let end = ContinuousClock.now + time
            var buffer = [UInt8](repeating: 0, count: largestAnswer)
            while true {
                let count = try receive(layer, socket, into: &buffer, before: end)
                let answer = DNSAnswerReader.read(Array(buffer.prefix(count)), for: query)
                if answer != .unrelated { return answer }
            }
        }
    }

    // The same over a stream, where a message follows its length (RFC 7766 section 8).
    private static func askByTCP(_ server: SocketEndpoint, _ query: DNSQuery, _ time: Duration) -> DNSAnswer {
        withSocket(SocketLimits.typeStream, to: server, time) { (layer, socket) throws(SocketError) in
            let question = query.encoded
            let message = [UInt8(question.count >> 8), UInt8(question.count & 0xff)] + question
            var sent = 0
            while sent < message.count {
                // Sound: bytes have no padding.
                sent += unsafe try layer.send(socket, message.span.bytes.extracting(sent...), flags: [])
            }
            let end = ContinuousClock.now + time
            var answer: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: largestAnswer)
            while true {
                let count = try receive(layer, socket, into: &buffer, before: end)
                guard count > 0 else { return .unrelated }
                answer += buffer.prefix(count)
                guard answer.count >= 2 else { continue }
                let length = Int(answer[0]) << 8 | Int(answer[1])
                guard answer.count >= 2 + length else { continue }
                return DNSAnswerReader.read(Array(answer[2..<(2 + length)]), for: query)
            }
        }
    }

    private static func receive(
        _ layer: SocketLayer, _ socket: Int32, into buffer: inout [UInt8], before end: ContinuousClock.Instant
    ) throws(SocketError) -> Int {
        let left = end - ContinuousClock.now
        guard left > .zero else { throw SocketError(.timedOut, "the name server did not answer") }
        try layer.setOption(socket, .receiveTimeout, .duration(left))
        var target = buffer.mutableSpan
        var bytes = unsafe target.mutableBytes
        return try layer.receive(socket, into: &bytes, flags: [])
    }

    // MARK: Results of the calling thread

    /// The thread's room with what is found for a name of the program. Nil, and a message, if nothing is.
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

    // Why nothing was found.
    private static func explain(_ name: String) {
        if DomainName(name) == nil {
            LastMessage.set("this is no name that a name server can be asked for")
        } else if servers.withLock({ $0.allSatisfy { $0 == nil } }) {
            LastMessage.set("there is no name server to ask: add one")
        } else {
            LastMessage.set("the name servers know no address of that name, or did not answer")
        }
    }

    // Puts addresses of one family and the name into the thread's room. Nil if there are none.
    private static func fillResults(_ name: String) -> (UnsafeMutablePointer<czerotier_results>, isIPv4: Bool)? {
        let found = addresses(of: name)
        guard let head = found.first, let results = unsafe czerotier_results() else {
            explain(name)
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
        for address in found.prefix(DNSAnswerReader.mostAddresses) where address.isIPv4 == head.isIPv4 {
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
private func server(_ addr: UnsafeMutablePointer<sockaddr>?) throws(CallFailure) -> SocketEndpoint {
    guard let address = unsafe addr else { throw .because(.argument, "addr is NULL") }
    do throws(SocketError) {
        // The interface has no length: what the family needs has to be there.
        let first = unsafe try AddressMemory.read(address, length: AddressMemory.sizeHostStorage)
        guard case .endpoint(let endpoint) = first, !endpoint.address.isUnspecified else {
            throw SocketError(.invalid, "the address has no family, or is that of no host")
        }
        return endpoint
    } catch {
        throw .because(.argument, error.reason ?? "this is no address")
    }
}

@c @implementation
public func zts_add_dns_nameserver(_ addr: UnsafeMutablePointer<sockaddr>?) -> Int32 {
    Generation.first.outcome { () throws(CallFailure) in
        let endpoint = unsafe try server(addr)
        try LibraryNode.shared.needStarted()
        let isDone = Resolver.servers.withLock { servers in
            if servers.contains(endpoint) { return true }
            guard let free = servers.firstIndex(of: nil) else { return false }
            servers[free] = endpoint
            return true
        }
        if !isDone { throw .because(.general, "there are \(Resolver.serverLimit) name servers already") }
    }
}

@c @implementation
public func zts_del_dns_nameserver(_ addr: UnsafeMutablePointer<sockaddr>?) -> Int32 {
    Generation.first.outcome { () throws(CallFailure) in
        let endpoint = unsafe try server(addr)
        try LibraryNode.shared.needStarted()
        let isDone = Resolver.servers.withLock { servers in
            guard let index = servers.firstIndex(of: endpoint) else { return false }
            servers[index] = nil
            return true
        }
        if !isDone { throw .because(.noResult, "there is no such name server") }
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
    Resolver.servers.withLock { $0[Int(index)] = endpoint }
    return 0
}

@c @implementation
public func zts_dns_get_server(_ index: UInt8) -> UnsafePointer<zts_ip_addr>? {
    guard index < visibleServers, let endpoint = Resolver.servers.withLock({ $0[Int(index)] }),
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
