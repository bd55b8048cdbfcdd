// ARP for IPv4 over Ethernet. Read first: RFC 826, RFC 5227.
//
//  0 hardware type 1 | 2 protocol type 0x0800 | 4 hardware length 6 | 5 protocol length 4 | 6 operation
//  8 sender MAC | 14 sender address | 18 target MAC | 24 target address; 28 bytes

import NetPrimitives

/// An ARP request or reply.
struct ARPPacket: Equatable {
    static let size = 28
    static let request: UInt16 = 1
    static let reply: UInt16 = 2

    var operation: UInt16
    var senderMAC: MACAddress
    var sender: IPAddress
    var targetMAC: MACAddress
    var target: IPAddress

    init(operation: UInt16, senderMAC: MACAddress, sender: IPAddress, targetMAC: MACAddress, target: IPAddress) {
        self.operation = operation
        self.senderMAC = senderMAC
        self.sender = sender
        self.targetMAC = targetMAC
        self.target = target
    }

    /// Reads a packet; bytes after the 28th are Ethernet padding.
    init(parsing span: RawSpan) throws(StackDropReason) {
        guard span.byteCount >= ARPPacket.size else { throw .truncated }
        guard span.loadUInt16(at: 0) == 1, span.loadUInt16(at: 2) == EtherType.ipv4, span.loadUInt8(at: 4) == 6,
            span.loadUInt8(at: 5) == 4
        else { throw .malformed }
        operation = span.loadUInt16(at: 6)
        guard operation == ARPPacket.request || operation == ARPPacket.reply else { throw .ignoredControl }
        senderMAC = MACAddress(span.loadUInt48(at: 8))
        sender = span.loadIPv4(at: 14)
        targetMAC = MACAddress(span.loadUInt48(at: 18))
        target = span.loadIPv4(at: 24)
    }

    /// The packet's 28 bytes.
    var bytes: [UInt8] {
        makeBytes(ARPPacket.size) { span in
            span.storeUInt16(1, at: 0)
            span.storeUInt16(EtherType.ipv4, at: 2)
            span.storeUInt8(6, at: 4)
            span.storeUInt8(4, at: 5)
            span.storeUInt16(operation, at: 6)
            span.storeUInt48(senderMAC.bits, at: 8)
            span.storeAddress(sender, at: 14)
            span.storeUInt48(targetMAC.bits, at: 18)
            span.storeAddress(target, at: 24)
        }
    }
}
