// setsockopt and getsockopt: from levels and numbers, lwIP's and the host's, to the options of the socket layer.
// Read first: ZeroTierConstants.h; socket(7), ip(7), tcp(7).

import CZeroTier
import NetPrimitives
import ZeroTierLibrary
import ZeroTierSockets

/// The meaning of a level and a number.
enum OptionName: Equatable {
    case option(SocketOption)
    case joinIPv4, leaveIPv4, joinIPv6, leaveIPv6

    init?(level: Int32, number: Int32) {
        let place: SocketOptionPlace.Level
        switch (level, number) {
        case (ZTS_IPPROTO_IP, 3), (ZTS_IPPROTO_IP, 35): self = .joinIPv4; return
        case (ZTS_IPPROTO_IP, 4), (ZTS_IPPROTO_IP, 36): self = .leaveIPv4; return
        case (ZTS_IPPROTO_IPV6, 12), (ZTS_IPPROTO_IPV6, 20): self = .joinIPv6; return
        case (ZTS_IPPROTO_IPV6, 13), (ZTS_IPPROTO_IPV6, 21): self = .leaveIPv6; return
        case (ZTS_SOL_SOCKET, _): place = .socket
        case (OptionName.hostSocketLevel, _): place = .hostSocket
        case (ZTS_IPPROTO_TCP, _): place = .tcp
        case (ZTS_IPPROTO_IP, _): place = .ipv4
        case (ZTS_IPPROTO_IPV6, _): place = .ipv6
        default: return nil
        }
        guard let option = SocketOption(at: place, number) else { return nil }
        self = .option(option)
    }

    private static let hostSocketLevel: Int32 = 1
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
            // A descriptor that does not exist is told before an option that does not.
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
        let row = option.row
        if row.mayBeByte, length == 1 { return .integer(Int(unsafe value.load(as: UInt8.self))) }
        guard length >= size(row.form) else { throw SocketError(.invalid, tooShort) }
        switch row.form {
        case .flag, .integer, .integerOrDefault: return .integer(Int(unsafe value.loadUnaligned(as: Int32.self)))
        case .linger:
            return .linger(
                Linger(
                    isOn: unsafe value.loadUnaligned(as: Int32.self) != 0,
                    seconds: Int(unsafe value.loadUnaligned(fromByteOffset: 4, as: Int32.self))))
        case .time:
            let seconds = unsafe value.loadUnaligned(as: Int.self)
            let microseconds = unsafe value.loadUnaligned(fromByteOffset: 8, as: Int.self)
            guard (0..<1_000_000).contains(microseconds) else {
                throw SocketError(.outOfDomain, "tv_usec is not in 0...999999")
            }
            // As on Linux: a time before now has passed already, and is read as 0.
            if seconds < 0 { return .duration(.nanoseconds(1)) }
            if seconds == 0, microseconds == 0 { return .duration(nil) }
            return .duration(.seconds(min(seconds, Int(Int32.max))) + .microseconds(microseconds))
        case .milliseconds:
            let milliseconds = unsafe value.loadUnaligned(as: Int32.self)
            return .duration(milliseconds <= 0 ? nil : .milliseconds(Int(milliseconds)))
        case .name:
            var name: [UInt8] = []
            for index in 0..<min(Int(length), nameSize - 1) {
                let byte = unsafe value.load(fromByteOffset: index, as: UInt8.self)
                if byte == 0 { break }
                name.append(byte)
            }
            return .name(String(decoding: name, as: UTF8.self))
        case .address:
            // An in_addr, or a structure that has one after the group's: ip_mreq and ip_mreqn.
            return .address(unsafe AddressMemory.readIPv4(length >= 8 ? value + 4 : value))
        }
    }

    // Bytes that a value has at least.
    private static func size(_ form: SocketOptionRow.Form) -> UInt32 {
        switch form {
        case .flag, .integer, .integerOrDefault, .milliseconds, .address: 4
        case .linger: 8
        case .time: timeSize
        case .name: 1
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
                    option.row.form == .milliseconds
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
