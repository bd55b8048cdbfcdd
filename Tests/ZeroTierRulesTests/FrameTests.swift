// Frames to try rules on: made of fields, and out of captures.

import NetPrimitives
import Testing

@testable import ZeroTierRules

@Suite struct FrameFieldsTests {
    private func made(_ change: (inout FrameFields) -> Void) throws(FrameFields.Mistake) -> (UInt16, [UInt8]) {
        var fields = FrameFields()
        change(&fields)
        return try fields.frame()
    }

    private func problem(_ change: (inout FrameFields) -> Void) -> String? {
        do throws(FrameFields.Mistake) {
            _ = try made(change)
            return nil
        } catch {
            return error.description
        }
    }

    @Test func `packets have the headers that the fields ask for`() throws {
        let (type, bytes) = try made {
            ($0.source, $0.destination) = (IPAddress("10.0.0.1"), IPAddress("10.0.0.2"))
            ($0.tcpFlags, $0.sourcePort, $0.destinationPort) = (FrameFields.tcpFlags("syn,ack"), 1234, 22)
            ($0.trafficClass, $0.length) = (0x20, 60)
        }
        #expect(type == 0x0800 && bytes.count == 60)
        #expect(Array(bytes[..<10]) == [0x45, 0x20, 0, 60, 0, 0, 0, 0, 64, 6])
        #expect(Array(bytes[12..<24]) == [10, 0, 0, 1, 10, 0, 0, 2, 0x04, 0xd2, 0, 22])
        #expect(Array(bytes[32..<34]) == [0x50, 0x12])
        let (type6, bytes6) = try made {
            ($0.destination, $0.icmpType, $0.icmpCode) = (IPAddress("fd00::2"), 128, 3)
            $0.trafficClass = 0xb8
        }
        #expect(type6 == 0x86dd && bytes6.count == 48)
        #expect(Array(bytes6[..<8]) == [0x6b, 0x80, 0, 0, 0, 8, 58, 64])
        #expect(Array(bytes6[38..<42]) == [0, 2, 128, 3])
        let (arp, question) = try made {
            ($0.etherType, $0.source, $0.destination) = (0x0806, IPAddress("10.0.0.1"), IPAddress("10.0.0.2"))
            $0.sourceMAC = MACAddress(0x0203_0405_0607)
        }
        #expect(arp == 0x0806 && question.count == 28)
        #expect(Array(question[8..<18]) == [2, 3, 4, 5, 6, 7, 10, 0, 0, 1] && question[27] == 2)
        #expect(try made { ($0.etherType, $0.length) = (0x88cc, 9) } == (0x88cc, [UInt8](repeating: 0, count: 9)))
        #expect(try made { _ in }.1.count == 20)
    }

    @Test func `fields that do not go together are refused`() {
        #expect(
            problem { ($0.source, $0.destination) = (IPAddress("10.0.0.1"), IPAddress("fd00::1")) }
                == "10.0.0.1 and fd00::1 are of two families")
        #expect(problem { $0.destinationPort = 5 } == "ports need a protocol: tcp, udp, udplite or sctp")
        #expect(problem { ($0.destinationPort, $0.ipProtocol) = (5, 1) } == "the protocol 1 has no ports")
        #expect(problem { ($0.tcpFlags, $0.ipProtocol) = (2, 17) } == "only TCP has flags")
        #expect(
            problem { ($0.icmpType, $0.ipProtocol) = (8, 58) }?.hasPrefix("the protocol 58 has no ICMP type") == true)
        #expect(
            problem { ($0.etherType, $0.source) = (0x86dd, IPAddress("10.0.0.1")) }
                == "the EtherType is not that of the addresses' family")
        #expect(
            problem { ($0.etherType, $0.ipProtocol) = (0x88cc, 6) } == "a frame of EtherType 0x88cc has no IP header")
        #expect(problem { ($0.etherType, $0.source) = (0x0806, IPAddress("fd00::1")) } == "ARP is for IPv4 addresses")
        #expect(problem { ($0.etherType, $0.tcpFlags) = (0x0806, 2) } == "ARP has neither protocol nor ports")
        #expect(problem { $0.length = 19 } == "the length is 20, which its headers take, to 10000")
        #expect(problem { $0.length = 10_001 } == "the length is 20, which its headers take, to 10000")
        #expect(FrameFields.ipProtocol("TCP") == 6 && FrameFields.ipProtocol("256") == nil)
        #expect(FrameFields.etherType("arp") == 0x0806 && FrameFields.etherType("x") == nil)
        #expect(FrameFields.tcpFlags("ns") == nil && FrameFields.tcpFlags("fin,cwr") == 0x81)
    }
}

/// Writes captures.
struct CaptureWriter {
    private var bytes: [UInt8] = []
    private let isLittleEndian: Bool

    private init(isLittleEndian: Bool) { self.isLittleEndian = isLittleEndian }

    private mutating func number(_ value: UInt32, _ count: Int) {
        let big = (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt32(8 * (count - 1 - $0))) }
        bytes += isLittleEndian ? big.reversed() : big
    }

    static func pcap(_ frames: [[UInt8]], linkType: UInt32, isLittleEndian: Bool, missing: Int = 0) -> [UInt8] {
        var writer = CaptureWriter(isLittleEndian: isLittleEndian)
        writer.number(0xa1b2_c3d4, 4)
        for _ in 0..<3 { writer.number(0, 4) }
        writer.number(65_535, 4)
        writer.number(linkType, 4)
        for frame in frames {
            for value in [1, 2, UInt32(frame.count), UInt32(frame.count + missing)] { writer.number(value, 4) }
            writer.bytes += frame
        }
        return writer.bytes
    }

    private mutating func block(_ type: UInt32, _ body: (inout CaptureWriter) -> Void) {
        var inner = CaptureWriter(isLittleEndian: isLittleEndian)
        body(&inner)
        while inner.bytes.count % 4 != 0 { inner.bytes.append(0) }
        number(type, 4)
        number(UInt32(inner.bytes.count + 12), 4)
        bytes += inner.bytes
        number(UInt32(inner.bytes.count + 12), 4)
    }

    static func pcapng(_ frames: [[UInt8]], linkType: UInt32, isLittleEndian: Bool) -> [UInt8] {
        var writer = CaptureWriter(isLittleEndian: isLittleEndian)
        writer.block(0x0a0d_0d0a) {
            for value: UInt32 in [0x1a2b_3c4d, 0x0001_0000, .max, .max] { $0.number(value, 4) }
        }
        for type in [999, linkType] {
            writer.block(1) {
                $0.number(type, 2)
                for _ in 0..<3 { $0.number(0, 2) }
            }
        }
        // A block that nobody knows.
        writer.block(0xbad) { $0.number(1, 4) }
        for frame in frames {
            writer.block(6) {
                for value in [1, 0, 0, UInt32(frame.count), UInt32(frame.count)] { $0.number(value, 4) }
                $0.bytes += frame
            }
        }
        return writer.bytes
    }
}

@Suite struct PacketCaptureTests {
    private let ethernet: [UInt8] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x06, 1, 2, 3]
    private let plain: [UInt8] = [0x60] + [UInt8](repeating: 7, count: 39)

    private func frame(_ number: Int, _ bytes: [UInt8]) throws(CaptureError) -> CapturedFrame {
        var capture = PacketCapture(bytes)
        return try capture.frame(number)
    }

    private func problem(_ number: Int, _ bytes: [UInt8]) -> String? {
        do throws(CaptureError) {
            _ = try frame(number, bytes)
            return nil
        } catch {
            return error.description
        }
    }

    @Test(arguments: [true, false]) func `frames of every kind of file are found by number`(isLittleEndian: Bool) throws
    {
        for bytes in [
            CaptureWriter.pcap([plain, ethernet], linkType: 1, isLittleEndian: isLittleEndian),
            CaptureWriter.pcapng([plain, ethernet], linkType: 1, isLittleEndian: isLittleEndian),
        ] {
            let found = try frame(2, bytes)
            #expect(found.destination == MACAddress(0x0200_0000_0001) && found.source == MACAddress(0x0200_0000_0002))
            #expect(found.etherType == 0x0806 && found.payload == [1, 2, 3] && found.missing == 0)
            #expect(problem(3, bytes) == "the capture has 2 packets, and no packet 3")
        }
        let raw = CaptureWriter.pcap([plain], linkType: 101, isLittleEndian: isLittleEndian, missing: 5)
        let found = try frame(1, raw)
        #expect(found.source == nil && found.etherType == 0x86dd && found.payload == plain && found.missing == 5)
        let cooked = CaptureWriter.pcap(
            [[UInt8](repeating: 0, count: 14) + [8, 0, 0x45]], linkType: 113, isLittleEndian: isLittleEndian)
        #expect(try frame(1, cooked).etherType == 0x0800 && frame(1, cooked).payload == [0x45])
    }

    @Test func `what is no capture is refused`() {
        #expect(problem(1, []) == "the file is no capture: it is too short")
        #expect(problem(1, [UInt8](repeating: 1, count: 40)) == "the file is neither pcap nor pcapng")
        let short = CaptureWriter.pcap([[1, 2, 3]], linkType: 1, isLittleEndian: true)
        #expect(problem(1, short) == "packet 1 is too short for its headers")
        let wireless = CaptureWriter.pcap([plain], linkType: 105, isLittleEndian: true)
        #expect(problem(1, wireless) == "captures of link type 105 are not read: Ethernet and plain IP are")
    }

    @Test func `no damage traps`() {
        var random = RandomSource(seed: 5)
        for bytes in [
            CaptureWriter.pcap([plain, ethernet], linkType: 1, isLittleEndian: true),
            CaptureWriter.pcapng([plain, ethernet], linkType: 1, isLittleEndian: false),
        ] {
            for count in bytes.indices { _ = problem(2, Array(bytes[..<count])) }
            for index in bytes.indices {
                var changed = bytes
                changed[index] ^= UInt8(1 + random.next(below: 255))
                let result = problem(2, changed)
                #expect(result != "")
            }
        }
    }
}
