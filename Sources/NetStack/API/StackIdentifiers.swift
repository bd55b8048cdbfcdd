// Names for what lives in a stack: interfaces and sockets. Values, never references.

package import NetPrimitives

/// Names one interface of a `NetworkStack`: one joined network, or the stack's own loop-back.
package struct InterfaceID: Hashable, Sendable, Comparable {
    /// The slot in the stack's table.
    package let slot: SlotID

    /// Names the interface in a slot.
    package init(_ slot: SlotID) { self.slot = slot }

    /// Orders by slot, which is the order of creation unless slots were reused.
    package static func < (left: InterfaceID, right: InterfaceID) -> Bool { left.slot < right.slot }
}

/// Names one socket of a `NetworkStack`. The ID of a closed socket never names a later one.
package struct SocketID: Hashable, Sendable {
    /// What the socket is; each kind has its own table.
    package enum Kind: UInt8, Sendable {
        /// A TCP connection, from the connect call or out of a listener.
        case stream
        /// A TCP listener.
        case listener
        /// A UDP socket.
        case datagram
        /// A TCP port that was bound and is neither connected nor listening yet.
        case reservation
    }

    /// What the socket is.
    package let kind: Kind
    /// The slot in the table of its kind.
    package let slot: SlotID

    /// Names the socket of a kind in a slot.
    package init(_ kind: Kind, _ slot: SlotID) {
        self.kind = kind
        self.slot = slot
    }
}

/// An Ethernet multicast group as VL2 knows it.
package struct LinkGroup: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The group's address; broadcast for IPv4 ARP.
    package let mac: MACAddress
    /// Distinguishes members of one address: the IPv4 address that ARP asks for, else 0.
    package let distinguisher: UInt32

    /// Makes a group.
    package init(_ mac: MACAddress, distinguisher: UInt32 = 0) {
        self.mac = mac
        self.distinguisher = distinguisher
    }

    /// Orders by address, then distinguisher.
    package static func < (left: LinkGroup, right: LinkGroup) -> Bool {
        (left.mac, left.distinguisher) < (right.mac, right.distinguisher)
    }

    /// `01:00:5e:00:00:01/0`.
    package var description: String { "\(mac)/\(distinguisher)" }
}
