// The keys of the stack's tables.

package import NetPrimitives

/// One flow as this stack sees it. The interface belongs to it: networks may use the same addresses.
struct FlowKey: OpenTableKey {
    let local: IPAddress
    let remote: IPAddress
    /// Local port in the upper half.
    let ports: UInt32
    /// The interface's slot index in the upper part, the protocol in the lowest byte.
    let scope: UInt64

    @inline(__always)
    init(
        _ protocolNumber: UInt8, local: IPAddress, localPort: UInt16, remote: IPAddress, remotePort: UInt16,
        interface: InterfaceID
    ) {
        self.local = local
        self.remote = remote
        ports = UInt32(localPort) << 16 | UInt32(remotePort)
        scope = UInt64(interface.slot.index) << 8 | UInt64(protocolNumber)
    }

    @inline(__always)
    func mix(into hasher: inout SipHasher) {
        if local.isIPv4 {
            hasher.combine(local.low << 32 | remote.low)
        } else {
            hasher.combine(local.high)
            hasher.combine(local.low)
            hasher.combine(remote.high)
            hasher.combine(remote.low)
        }
        hasher.combine(UInt64(ports) << 32 | (scope & 0xffff_ffff))
    }
}

/// An address on an interface: a neighbour, a path.
struct ScopedAddress: OpenTableKey {
    let interface: InterfaceID
    let address: IPAddress

    init(_ interface: InterfaceID, _ address: IPAddress) {
        self.interface = interface
        self.address = address
    }

    @inline(__always)
    func mix(into hasher: inout SipHasher) {
        hasher.combine(UInt64(interface.slot.index) << 1 | (address.isIPv4 ? 1 : 0))
        hasher.combine(address.high)
        hasher.combine(address.low)
    }
}

/// A port of a protocol.
struct PortKey: OpenTableKey {
    let value: UInt32

    init(_ protocolNumber: UInt8, _ port: UInt16) { value = UInt32(protocolNumber) << 16 | UInt32(port) }

    @inline(__always)
    func mix(into hasher: inout SipHasher) { hasher.combine(UInt64(value)) }
}

/// The key of one datagram's fragments (RFC 791, RFC 8200 4.5), with the station that they came from, so that nobody can
/// add to a datagram of another.
struct ReassemblyKey: OpenTableKey {
    let station: MACAddress
    let source: IPAddress
    let destination: IPAddress
    let identification: UInt32
    /// Part of the key for IPv4 only; 0 for IPv6.
    let protocolNumber: UInt8
    let interface: InterfaceID

    func mix(into hasher: inout SipHasher) {
        hasher.combine(source.high)
        hasher.combine(source.low)
        hasher.combine(destination.high)
        hasher.combine(destination.low)
        hasher.combine(UInt64(identification) << 16 | UInt64(protocolNumber) << 1 | (source.isIPv4 ? 1 : 0))
        hasher.combine(UInt64(interface.slot.index) << 48 | station.bits)
    }
}

/// A station on an interface's link.
package struct StationKey: OpenTableKey {
    package let interface: InterfaceID
    package let station: MACAddress

    package init(_ interface: InterfaceID, _ station: MACAddress) {
        self.interface = interface
        self.station = station
    }

    @inline(__always)
    func mix(into hasher: inout SipHasher) {
        hasher.combine(UInt64(interface.slot.index) << 48 | station.bits)
    }
}

/// An echo request that waits.
struct EchoKey: OpenTableKey {
    let destination: IPAddress
    let identifier: UInt16
    let sequence: UInt16

    func mix(into hasher: inout SipHasher) {
        hasher.combine(destination.high)
        hasher.combine(destination.low)
        hasher.combine(UInt64(identifier) << 17 | UInt64(sequence) << 1 | (destination.isIPv4 ? 1 : 0))
    }
}
