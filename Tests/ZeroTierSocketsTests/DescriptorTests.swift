// Descriptors and what needs no node.

import NetPrimitives
import Testing
import ZeroTier
import ZeroTierSockets

@Suite struct DescriptorTests {
    @Test func `descriptors count from zero and the lowest free one is used again at once`() throws {
        let layer = SocketLayer()
        #expect(try (0..<70).map { _ in try layer.stream() } == Array(0..<70))
        try layer.close(3)
        try layer.close(64)
        #expect(try layer.udp() == 3)
        #expect(try layer.stream(10) == 64)
        #expect(try layer.stream(10) == 70)
        #expect(errno { try layer.close(99) } == .badDescriptor)
        #expect(errno { try layer.close(-1) } == .badDescriptor)
        try layer.close(5)
        #expect(errno { try layer.close(5) } == .badDescriptor)
    }

    @Test func `beyond the limit there is no descriptor, and the limit cannot pass 65536`() throws {
        let layer = SocketLayer(limit: 3)
        for _ in 0..<3 { _ = try layer.stream() }
        #expect(errno { _ = try layer.stream() } == .tooManyDescriptors)
        try layer.close(1)
        #expect(try layer.stream() == 1)
    }

    @Test func `families, types and protocols that do not exist are told apart`() throws {
        let layer = SocketLayer()
        #expect(errno { _ = try layer.socket(family: 1, type: 1, protocol: 0) } == .familyNotSupported)
        #expect(errno { _ = try layer.socket(family: 2, type: 9, protocol: 0) } == .invalid)
        #expect(errno { _ = try layer.socket(family: 2, type: 2, protocol: 6) } == .protocolNotSupported)
        #expect(errno { _ = try layer.socket(family: 2, type: 3, protocol: 0) } == .protocolNotSupported)
        #expect(try layer.socket(family: 10, type: 1, protocol: 6) == 0)
    }

    @Test func `without a node options work and all else is ENETDOWN`() throws {
        let layer = SocketLayer()
        let socket = try layer.stream()
        try layer.setOption(socket, .noDelay, .integer(1))
        #expect(try layer.integer(socket, .noDelay) == 1)
        #expect(errno { try layer.connect(socket, to: SocketEndpoint("10.0.0.1:80")!) } == .networkDown)
        #expect(errno { _ = try layer.receive(socket, 1) } == .networkDown)
        #expect(errno { _ = try layer.localEndpoint(socket) } == .networkDown)
        #expect(layer.state(socket) == [.output, .hangUp])
        try layer.close(socket)
    }

    @Test func `a set of descriptors has a bit for each`() {
        var set = DescriptorSet()
        for number: Int32 in [0, 63, 64, 1023] { set[number] = true }
        set[1024] = true
        set[63] = false
        #expect(set.words[0] == 1 && set.words[1] == 1 && set.words[15] == 1 << 63)
        #expect(!set[1024] && !set[-1] && set[64])
    }

    @Test func `the congestion control is chosen by name`() throws {
        let layer = SocketLayer()
        let stream = try layer.stream()
        #expect(try layer.option(stream, .congestionControl) == .name("bbr"))
        for name in ["cubic", "reno", "bbr"] {
            try layer.setOption(stream, .congestionControl, .name(name))
            #expect(try layer.option(stream, .congestionControl) == .name(name))
        }
        #expect(errno { try layer.setOption(stream, .congestionControl, .name("vegas")) } == .noSuchName)
        #expect(errno { try layer.setOption(stream, .congestionControl, .integer(1)) } == .invalid)
        #expect(errno { try layer.setOption(stream, .noDelay, .name("bbr")) } == .invalid)
        #expect(try layer.option(stream, .congestionControl) == .name("bbr"))
        let udp = try layer.udp()
        #expect(errno { try layer.setOption(udp, .congestionControl, .name("bbr")) } == .noSuchOption)
        #expect(errno { _ = try layer.option(udp, .congestionControl) } == .noSuchOption)
    }

    @Test func `every option has a default, and what is out of range is refused`() throws {
        let layer = SocketLayer()
        let stream = try layer.stream(10)
        let udp = try layer.udp()
        let expected: [(SocketOption, Int)] = [
            (.receiveBuffer, 131_072), (.sendBuffer, 16_384), (.keepAliveIdle, 7_200), (.keepAliveInterval, 75),
            (.keepAliveCount, 9), (.synCount, 6), (.timeToLive, 64), (.typeOfService, 0), (.multicastTimeToLive, 1),
            (.multicastLoop, 1), (.noDelay, 0), (.userTimeout, 0), (.finWaitTimeout, 60), (.maximumSegment, 536),
            (.ipv6Only, 0), (.error, 0), (.type, 1), (.acceptsConnections, 0), (.domain, 10), (.protocolNumber, 6),
        ]
        for (option, value) in expected { #expect(try layer.integer(stream, option) == value, "\(option)") }
        #expect(try layer.integer(udp, .receiveBuffer) == 212_992)
        try layer.setOption(stream, .receiveBuffer, .integer(100_000))
        #expect(try layer.integer(stream, .receiveBuffer) == 200_000)
        try layer.setOption(stream, .sendBuffer, .integer(1))
        #expect(try layer.integer(stream, .sendBuffer) == 4_608)
        try layer.setOption(stream, .keepAliveIdleMilliseconds, .integer(5_000))
        #expect(try layer.integer(stream, .keepAliveIdle) == 5)
        for (option, value) in [
            (SocketOption.timeToLive, 0), (.timeToLive, 256), (.keepAliveIdle, 0), (.keepAliveIdle, 32_768),
            (.maximumSegment, 87), (.keepAliveCount, 128), (.pathMTUDiscovery, 3),
        ] {
            #expect(errno { try layer.setOption(stream, option, .integer(value)) } == .invalid, "\(option) \(value)")
        }
        for option: SocketOption in [.error, .type, .acceptsConnections, .noChecksum, .sendLowWater] {
            #expect(errno { try layer.setOption(stream, option, .integer(1)) } == .noSuchOption, "\(option)")
        }
        #expect(errno { try layer.setOption(udp, .noDelay, .integer(1)) } == .noSuchOption)
        #expect(errno { _ = try layer.option(udp, .keepAliveIdle) } == .noSuchOption)
        #expect(errno { try layer.setOption(udp, .ipv6Only, .integer(1)) } == .noSuchOption)
        #expect(errno { try layer.setOption(stream, .linger, .integer(1)) } == .invalid)
        try layer.setOption(stream, .linger, .linger(Linger(isOn: true, seconds: 7)))
        #expect(try layer.option(stream, .linger) == .linger(Linger(isOn: true, seconds: 7)))
        try layer.setOption(stream, .receiveTimeout, .duration(.milliseconds(1_500)))
        #expect(try layer.option(stream, .receiveTimeout) == .duration(.milliseconds(1_500)))
        try layer.setOption(stream, .receiveTimeout, .duration(.zero))
        #expect(try layer.option(stream, .receiveTimeout) == .duration(nil))
    }

    @Test func `an option is found at its places, and a refusal says what would be right`() throws {
        #expect(SocketOption(at: .socket, 0x04) == .reuseAddress && SocketOption(at: .hostSocket, 2) == .reuseAddress)
        #expect(SocketOption(at: .tcp, 2) == .keepAliveIdleMilliseconds && SocketOption(at: .tcp, 99) == nil)
        #expect(SocketOption(at: .ipv4, 2) == .timeToLive && SocketOption(at: .ipv6, 2) == nil)
        let layer = SocketLayer()
        let stream = try layer.stream(2)
        let udp = try layer.udp()
        func refusal(_ body: () throws -> Void) -> String {
            do { try body() } catch { return "\(error)" }
            return "none"
        }
        for (text, value) in [
            ("a number from 1 to 32767 (seconds)", SocketOptionValue.integer(0)), ("a number", .name("x")),
        ] {
            let told = refusal { try layer.setOption(stream, .keepAliveIdle, value) }
            #expect(told.contains("TCP_KEEPIDLE takes \(text)"), "\(told)")
        }
        #expect(refusal { try layer.setOption(stream, .type, .integer(1)) }.contains("SO_TYPE can only be read"))
        #expect(refusal { _ = try layer.option(udp, .noDelay) }.contains("datagram socket has no TCP_NODELAY"))
        #expect(refusal { _ = try layer.option(stream, .ipv6Only) }.contains("IPv4 stream socket has no IPV6_V6ONLY"))
        // As on Linux: what can be set can be read, on datagram sockets too.
        try layer.setOption(udp, .keepAlive, .integer(1))
        #expect(try layer.integer(udp, .keepAlive) == 1)
        // Each option that can be set says the same when it is read, and takes that.
        for option in SocketOption.allCases where option != .multicastInterface && option != .maximumSegment {
            guard let value = try? layer.option(stream, option) else { continue }
            if let told = errno({ try layer.setOption(stream, option, value) }) {
                #expect(told == .noSuchOption, "\(option)")
            }
        }
    }
}
