// Addresses of both layouts, read from and written to memory of the program.
// Read first: ZeroTier.h, "Two address layouts".

import CZeroTier
import Glibc
import NetPrimitives
import ZeroTier
import ZeroTierLibrary
import ZeroTierSockets

/// Reads and writes addresses in memory of the program.
enum AddressMemory {
    /// The program's address.
    enum Parsed {
        /// No family. With the bytes that would be IPv4's address and port.
        case unspecified(SocketEndpoint)
        case endpoint(SocketEndpoint)
    }

    static let sizeIPv4: UInt32 = 16
    static let sizeIPv6: UInt32 = 28
    /// A host's `sockaddr_storage`.
    static let sizeHostStorage: UInt32 = 128

    /// Lengths that an address may have.
    static func isPlausible(_ length: UInt32) -> Bool { (16...28).contains(length) || length == sizeHostStorage }

    /// Why an address of the program is refused.
    static func problem(_ address: UnsafeRawPointer?, _ length: UInt32) -> String? {
        if unsafe address == nil { return "addr is NULL" }
        return isPlausible(length) ? nil : lengths
    }

    static let lengths = "an address of IPv4 has 16 bytes, one of IPv6 has 28, a sockaddr_storage 128"

    /// Reads an address of either layout. At least 16 bytes must be there.
    static func read(_ memory: UnsafeRawPointer, length: UInt32) throws(SocketError) -> Parsed {
        // Sound: the caller's promise of `length` bytes; only those are read.
        let first = unsafe memory.load(fromByteOffset: 0, as: UInt8.self)
        let second = unsafe memory.load(fromByteOffset: 1, as: UInt8.self)
        let family: UInt8
        switch (first, second) {
        // Stack layout: a length that means nothing, then the family.
        case (_, 2), (_, 10), (_, 30): family = second
        // Host layout, little-endian: the family in two bytes.
        case (2, 0), (10, 0), (30, 0): family = first
        case (0, 0), (16, 0), (28, 0): family = 0
        default: throw SocketError(.familyNotSupported, "the address is neither ZTS_AF_INET nor ZTS_AF_INET6")
        }
        let port = unsafe UInt16(bigEndian: memory.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
        if family == 0 { return .unspecified(SocketEndpoint(unsafe readIPv4(memory + 4), port: port)) }
        if family == 2 {
            guard length == sizeIPv4 || length == sizeHostStorage else { throw SocketError(.invalid, lengths) }
            return .endpoint(SocketEndpoint(unsafe readIPv4(memory + 4), port: port))
        }
        guard length == sizeIPv6 || length == 24 || length == sizeHostStorage else {
            throw SocketError(.invalid, lengths)
        }
        return .endpoint(SocketEndpoint(unsafe readIPv6(memory + 8), port: port))
    }

    static func readIPv4(_ memory: UnsafeRawPointer) -> IPAddress {
        IPAddress(v4: unsafe UInt32(bigEndian: memory.loadUnaligned(as: UInt32.self)))
    }

    static func readIPv6(_ memory: UnsafeRawPointer) -> IPAddress {
        IPAddress(
            v6High: unsafe UInt64(bigEndian: memory.loadUnaligned(as: UInt64.self)),
            low: unsafe UInt64(bigEndian: memory.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
    }

    static func writeBytes(_ address: IPAddress, to memory: UnsafeMutableRawPointer) {
        var offset = 0
        for byte in address.bytes {
            unsafe memory.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
            offset += 1
        }
    }

    /// Writes the host's layout into a zeroed `sockaddr_storage`. Gives the size.
    @discardableResult
    static func writeHost(
        _ address: IPAddress, port: UInt16 = 0, to memory: UnsafeMutableRawPointer
    ) -> UInt32 {
        let family = UInt16(address.isIPv4 ? AF_INET : AF_INET6)
        unsafe memory.storeBytes(of: family, as: UInt16.self)
        unsafe memory.storeBytes(of: port.bigEndian, toByteOffset: 2, as: UInt16.self)
        unsafe writeBytes(address, to: memory + (address.isIPv4 ? 4 : 8))
        return address.isIPv4 ? sizeIPv4 : sizeIPv6
    }

    /// Writes the stack's layout into zeroed memory of 28 bytes. Gives the size.
    @discardableResult
    static func writeStack(
        _ address: IPAddress, port: UInt16 = 0, to memory: UnsafeMutableRawPointer
    ) -> UInt32 {
        let size = address.isIPv4 ? sizeIPv4 : sizeIPv6
        unsafe memory.storeBytes(of: UInt8(size), as: UInt8.self)
        unsafe memory.storeBytes(of: address.isIPv4 ? 2 : 10, toByteOffset: 1, as: UInt8.self)
        unsafe memory.storeBytes(of: port.bigEndian, toByteOffset: 2, as: UInt16.self)
        unsafe writeBytes(address, to: memory + (address.isIPv4 ? 4 : 8))
        return size
    }

    /// Writes the stack's layout, as much as the program has room for, and its full length.
    static func write(
        _ endpoint: SocketEndpoint, to target: UnsafeMutableRawPointer?, length: UnsafeMutablePointer<UInt32>?
    ) {
        guard let target = unsafe target, let length = unsafe length else { return }
        unsafe withZeroed(zts_sockaddr_in6.self) { address in
            let size = unsafe writeStack(endpoint.address, port: endpoint.port, to: address)
            // Sound: the program's own length bounds the copy.
            unsafe memcpy(target, address, Int(min(size, length.pointee)))
            unsafe length.pointee = size
        }
    }
}
