// A frame on the command line: by its fields, or out of a capture.

import ArgumentParser
import NetPrimitives
import ZeroTierRules

/// A frame that was given.
struct GivenFrame {
    /// Nil: that of the member.
    var source: MACAddress?
    var destination: MACAddress?
    var etherType: UInt16
    var payload: [UInt8]

    /// The source address of the packet within; nil for what is no IP packet.
    var sourceIP: IPAddress? {
        switch etherType {
        case 0x0800 where payload.count >= 20: IPAddress(Array(payload[12..<16]))
        case 0x0806 where payload.count >= 28: IPAddress(Array(payload[14..<18]))
        case 0x86dd where payload.count >= 40: IPAddress(Array(payload[8..<24]))
        default: nil
        }
    }
}

/// Options that describe a frame.
struct FrameOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Capture with the frame: pcap or pcapng.", valueName: "file"))
    var packet: String?

    @Option(help: "Number of the frame in the capture; the first is 1.")
    var number = 1

    @Option(
        help: ArgumentHelp("Source address of the packet; of the sender, for ARP.", valueName: "address"),
        transform: Parse.address)
    var source: IPAddress?

    @Option(
        help: ArgumentHelp("Destination address of the packet; the one asked for, for ARP.", valueName: "address"),
        transform: Parse.address)
    var destination: IPAddress?

    @Option(
        help: "Protocol of the packet: tcp, udp, icmp, icmp6, another name, or a number.", transform: Parse.ipProtocol)
    var `protocol`: UInt8?

    @Option(help: "Source port.")
    var sourcePort: UInt16?

    @Option(help: "Destination port.")
    var destinationPort: UInt16?

    @Option(help: "Flags of TCP, such as syn or syn,ack.", transform: Parse.tcpFlags)
    var tcpFlags: UInt8?

    @Option(
        help: ArgumentHelp("Type of the ICMP message, and its code.", valueName: "type[/code]"), transform: Parse.icmp)
    var icmp: ICMPKind?

    @Option(help: "Type of service, or traffic class.")
    var tos: UInt8 = 0

    @Option(
        help:
            "EtherType of the frame: ipv4, ipv6, arp, another name, or a number. Default: that of the addresses, or ipv4.",
        transform: Parse.etherType)
    var etherType: UInt16?

    @Option(help: "Bytes of the packet.")
    var length: Int?

    @Option(help: ArgumentHelp("Source of the frame. Default: the sender's.", valueName: "mac"), transform: Parse.mac)
    var sourceMAC: MACAddress?

    @Option(
        help: ArgumentHelp(
            "Destination of the frame; ff:ff:ff:ff:ff:ff is broadcast. Default: the receiver's.", valueName: "mac"),
        transform: Parse.mac)
    var destinationMAC: MACAddress?

    /// A message's type and code.
    struct ICMPKind: Sendable {
        let type: UInt8
        let code: UInt8
    }

    private var hasFields: Bool {
        let addresses = source != nil || destination != nil || etherType != nil || length != nil || tos != 0
        return addresses || self.protocol != nil || sourcePort != nil || destinationPort != nil || tcpFlags != nil
            || icmp != nil
    }

    func validate() throws {
        guard packet == nil || !hasFields else {
            throw ValidationError("the frame is either that of --packet or made of the other options")
        }
        guard number >= 1 else { throw ValidationError("--number is 1 or more, not \(number)") }
    }

    func frame() throws -> GivenFrame {
        if let packet {
            let bytes = try Files.read(packet)
            do throws(CaptureError) {
                var capture = PacketCapture(bytes)
                let found = try capture.frame(number)
                if found.missing > 0 {
                    Output.complain("\(packet): \(found.missing) bytes of the frame were not captured")
                }
                return GivenFrame(
                    source: sourceMAC ?? found.source, destination: destinationMAC ?? found.destination,
                    etherType: found.etherType, payload: found.payload)
            } catch {
                throw Failure("file", "\(packet): \(error)")
            }
        }
        var fields = FrameFields()
        (fields.source, fields.destination, fields.etherType) = (source, destination, etherType)
        (fields.ipProtocol, fields.sourcePort, fields.destinationPort) = (self.protocol, sourcePort, destinationPort)
        (fields.tcpFlags, fields.icmpType, fields.icmpCode) = (tcpFlags, icmp?.type, icmp?.code)
        (fields.trafficClass, fields.length) = (tos, length)
        if let sourceMAC { fields.sourceMAC = sourceMAC }
        do throws(FrameFields.Mistake) {
            let (type, payload) = try fields.frame()
            return GivenFrame(source: sourceMAC, destination: destinationMAC, etherType: type, payload: payload)
        } catch {
            throw Failure("usage", error.description)
        }
    }
}

extension Parse {
    static func ipProtocol(_ text: String) throws -> UInt8 {
        guard let number = FrameFields.ipProtocol(text) else {
            throw ValidationError("a protocol is a name such as tcp, udp or icmp, or a number up to 255; not \(text)")
        }
        return number
    }

    static func etherType(_ text: String) throws -> UInt16 {
        guard let number = FrameFields.etherType(text) else {
            throw ValidationError(
                "an EtherType is a name such as ipv4, ipv6 or arp, or a number such as 0x88cc; not \(text)")
        }
        return number
    }

    static func tcpFlags(_ text: String) throws -> UInt8 {
        guard let flags = FrameFields.tcpFlags(text) else {
            throw ValidationError(
                "flags are fin, syn, rst, psh, ack, urg, ece and cwr with commas between; not \(text)")
        }
        return flags
    }

    static func icmp(_ text: String) throws -> FrameOptions.ICMPKind {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { UInt8($0) }
        guard (1...2).contains(parts.count), let type = parts[0], let code = parts.count == 2 ? parts[1] : 0 else {
            throw ValidationError("an ICMP message is a type, or type/code, such as 8 or 3/4; not \(text)")
        }
        return FrameOptions.ICMPKind(type: type, code: code)
    }

    static func mac(_ text: String) throws -> MACAddress {
        guard let mac = MACAddress(text: text) else {
            throw ValidationError("an Ethernet address is like 02:11:22:33:44:55, not \(text)")
        }
        return mac
    }
}
