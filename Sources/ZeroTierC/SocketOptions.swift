// setsockopt and getsockopt: from levels and numbers, lwIP's and the host's, to the options of the socket layer.
// Read first: ZeroTierConstants.h; socket(7), ip(7), tcp(7).

import CZeroTier
import Glibc
import NetPrimitives
import ZeroTierLibrary
import ZeroTierSockets

/// What a level and a number mean.
enum OptionName: Equatable {
    case option(SocketOption)
    case joinIPv4, leaveIPv4, joinIPv6, leaveIPv6

    init?(level: Int32, number: Int32) {
        switch level {
        case ZTS_SOL_SOCKET: self.init(OptionName.socket[number])
        case OptionName.hostSocketLevel: self.init(OptionName.hostSocket[number])
        case ZTS_IPPROTO_TCP: self.init(OptionName.tcp[number])
        case ZTS_IPPROTO_IP:
            switch number {
            case 3, 35: self = .joinIPv4
            case 4, 36: self = .leaveIPv4
            default: self.init(OptionName.ipv4[number])
            }
        case ZTS_IPPROTO_IPV6:
            switch number {
            case 12, 20: self = .joinIPv6
            case 13, 21: self = .leaveIPv6
            default: self.init(OptionName.ipv6[number])
            }
        default: return nil
        }
    }

    private init?(_ option: SocketOption?) {
        guard let option else { return nil }
        self = .option(option)
    }

    private static let hostSocketLevel: Int32 = 1

    private static let socket: [Int32: SocketOption] = [
        0x02: .acceptsConnections, 0x04: .reuseAddress, 0x08: .keepAlive, 0x20: .broadcast, 0x80: .linger,
        0x100: .outOfBandInline, 0x200: .reusePort, 0x1001: .sendBuffer, 0x1002: .receiveBuffer,
        0x1003: .sendLowWater, 0x1004: .receiveLowWater, 0x1005: .sendTimeout, 0x1006: .receiveTimeout,
        0x1007: .error, 0x1008: .type, 0x1009: .connectTimeout, 0x100a: .noChecksum,
    ]
    private static let hostSocket: [Int32: SocketOption] = [
        2: .reuseAddress, 3: .type, 4: .error, 6: .broadcast, 7: .sendBuffer, 8: .receiveBuffer, 9: .keepAlive,
        10: .outOfBandInline, 11: .noChecksum, 13: .linger, 15: .reusePort, 18: .receiveLowWater, 19: .sendLowWater,
        20: .receiveTimeout, 21: .sendTimeout, 30: .acceptsConnections, 38: .protocolNumber, 39: .domain,
    ]
    private static let tcp: [Int32: SocketOption] = [
        1: .noDelay, 2: .keepAliveIdleMilliseconds, 3: .keepAliveIdle, 4: .keepAliveInterval, 5: .keepAliveCount,
        // The host's, where lwIP has nothing.
        7: .synCount, 8: .finWaitTimeout, 13: .congestionControl, 18: .userTimeout,
    ]
    private static let ipv4: [Int32: SocketOption] = [
        1: .typeOfService, 2: .timeToLive, 5: .multicastTimeToLive, 6: .multicastInterface, 7: .multicastLoop,
        10: .pathMTUDiscovery, 32: .multicastInterface, 33: .multicastTimeToLive, 34: .multicastLoop,
    ]
    private static let ipv6: [Int32: SocketOption] = [
        27: .ipv6Only, 26: .ipv6Only, 16: .timeToLive, 18: .multicastTimeToLive, 19: .multicastLoop,
        23: .pathMTUDiscovery, 67: .typeOfService,
    ]
}

extension SocketCalls {
    // The host's struct timeval on a 64-bit system: two longs.
    private static let timeSize: UInt32 = 16
    // Linux's TCP_CA_NAME_MAX: a name with the zero at its end.
    private static let nameSize = 16

    private static let unknown = "there is no option of this level and number"
    private static let tooShort = "optlen is smaller than the option's type"

    static func setOption(
        _ descriptor: Int32, _ level: Int32, _ number: Int32, _ value: UnsafeRawPointer?, _ length: UInt32,
        _ surface: Surface
    ) -> Int {
        surface.on(descriptor) { (place) throws(SocketError) in
            // A descriptor that does not exist goes before an option that does not.
            _ = try place.socket.family
            guard let name = OptionName(level: level, number: number) else { throw SocketError(.noSuchOption, unknown) }
            guard let value = unsafe value else { throw SocketError(.badMemory, "optval is NULL") }
            switch name {
            case .option(let option):
                try place.socket.setOption(option, unsafe try read(option, value, length))
            case .joinIPv4, .leaveIPv4:
                guard length >= 8 else { throw SocketError(.invalid, tooShort) }
                let group = unsafe AddressMemory.readIPv4(value)
                let interface = unsafe AddressMemory.readIPv4(value + 4)
                try change(place, group, interface.isUnspecified ? nil : interface, isJoin: name == .joinIPv4)
            case .joinIPv6, .leaveIPv6:
                guard length >= 20 else { throw SocketError(.invalid, tooShort) }
                try change(place, unsafe AddressMemory.readIPv6(value), nil, isJoin: name == .joinIPv6)
            }
            return 0
        }
    }

    private static func change(
        _ place: SocketPlace, _ group: IPAddress, _ interface: IPAddress?, isJoin: Bool
    ) throws(SocketError) {
        try place.socket.changeGroup(group, interface: interface, isJoin: isJoin)
    }

    private static func read(
        _ option: SocketOption, _ value: UnsafeRawPointer, _ length: UInt32
    ) throws(SocketError) -> SocketOptionValue {
        // Sound: reads stay inside the program's length.
        switch option {
        case .linger:
            guard length >= 8 else { throw SocketError(.invalid, tooShort) }
            return .linger(
                Linger(
                    isOn: unsafe value.loadUnaligned(as: Int32.self) != 0,
                    seconds: Int(unsafe value.loadUnaligned(fromByteOffset: 4, as: Int32.self))))
        case .sendTimeout, .receiveTimeout:
            guard length >= timeSize else { throw SocketError(.invalid, tooShort) }
            let seconds = unsafe value.loadUnaligned(as: Int.self)
            let microseconds = unsafe value.loadUnaligned(fromByteOffset: 8, as: Int.self)
            guard (0..<1_000_000).contains(microseconds) else {
                throw SocketError(.outOfDomain, "tv_usec is not in 0...999999")
            }
            // As on Linux: a time before now has passed already, and is read as 0.
            if seconds < 0 { return .duration(.nanoseconds(1)) }
            if seconds == 0, microseconds == 0 { return .duration(nil) }
            return .duration(.seconds(min(seconds, Int(Int32.max))) + .microseconds(microseconds))
        case .connectTimeout:
            guard length >= 4 else { throw SocketError(.invalid, tooShort) }
            let milliseconds = unsafe value.loadUnaligned(as: Int32.self)
            return .duration(milliseconds <= 0 ? nil : .milliseconds(Int(milliseconds)))
        case .congestionControl:
            guard length >= 1 else { throw SocketError(.invalid, tooShort) }
            var name: [UInt8] = []
            for index in 0..<min(Int(length), nameSize - 1) {
                let byte = unsafe value.load(fromByteOffset: index, as: UInt8.self)
                if byte == 0 { break }
                name.append(byte)
            }
            return .name(String(decoding: name, as: UTF8.self))
        case .multicastInterface:
            // An in_addr, or a structure that has one after the group's: ip_mreq and ip_mreqn.
            guard length >= 4 else { throw SocketError(.invalid, tooShort) }
            return .address(unsafe AddressMemory.readIPv4(length >= 8 ? value + 4 : value))
        case .multicastTimeToLive, .multicastLoop:
            // BSD has a byte for these.
            if length == 1 { return .integer(Int(unsafe value.load(as: UInt8.self))) }
            fallthrough
        default:
            guard length >= 4 else { throw SocketError(.invalid, tooShort) }
            return .integer(Int(unsafe value.loadUnaligned(as: Int32.self)))
        }
    }

    static func getOption(
        _ descriptor: Int32, _ level: Int32, _ number: Int32, _ value: UnsafeMutableRawPointer?,
        _ length: UnsafeMutablePointer<UInt32>?, _ surface: Surface
    ) -> Int {
        surface.on(descriptor) { (place) throws(SocketError) in
            _ = try place.socket.family
            guard case .option(let option)? = OptionName(level: level, number: number) else {
                throw SocketError(.noSuchOption, unknown)
            }
            guard let value = unsafe value, let length = unsafe length else {
                throw SocketError(.badMemory, "optval or optlen is NULL")
            }
            var bytes: [UInt8]
            switch try place.socket.option(option) {
            case .integer(let number): bytes = SocketCalls.bytes(Int32(truncatingIfNeeded: number))
            case .linger(let linger):
                bytes =
                    SocketCalls.bytes(Int32(linger.isOn ? 1 : 0)) + SocketCalls.bytes(Int32(clamping: linger.seconds))
            case .address(let address): bytes = SocketCalls.bytes(address.v4.bigEndian)
            case .name(let name):
                bytes = Array(name.utf8.prefix(nameSize - 1))
                bytes += Array(repeating: 0, count: nameSize - bytes.count)
            case .duration(let duration):
                let (seconds, attoseconds) = (duration ?? .zero).components
                bytes =
                    option == .connectTimeout
                    ? SocketCalls.bytes(Int32(clamping: seconds * 1000 + attoseconds / 1_000_000_000_000_000))
                    : SocketCalls.bytes(Int(seconds)) + SocketCalls.bytes(Int(attoseconds / 1_000_000_000_000))
            }
            // As on Linux: what does not fit is cut.
            bytes = Array(bytes.prefix(Int(unsafe length.pointee)))
            for (index, byte) in bytes.enumerated() {
                unsafe value.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
            }
            unsafe length.pointee = UInt32(bytes.count)
            return 0
        }
    }

    // The host's byte order.
    private static func bytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
        (0..<(Number.bitWidth / 8)).map { UInt8(truncatingIfNeeded: number.littleEndian >> (8 * $0)) }
    }
}
