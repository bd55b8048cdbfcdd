//  Frames out of capture files: pcap and pcapng. Read first: the drafts draft-ietf-opsawg-pcap and -pcapng.

package import NetPrimitives

/// A frame out of a capture.
package struct CapturedFrame: Hashable, Sendable {
    /// Nil where the capture has no Ethernet headers.
    package let destination: MACAddress?
    package let source: MACAddress?
    package let etherType: UInt16
    package let payload: [UInt8]
    /// Bytes that were on the wire and are not in the capture.
    package let missing: Int
}

/// Why a frame cannot be had.
package struct CaptureError: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String
}

/// A capture file.
package struct PacketCapture: Sendable {
    private struct Record {
        let linkType: UInt32
        let range: Range<Int>
        let length: Int
    }

    private let bytes: [UInt8]
    private var isLittleEndian = true

    /// The bytes of a file.
    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The frame with a number; the first is 1, as analysers count.
    package mutating func frame(_ number: Int) throws(CaptureError) -> CapturedFrame {
        guard bytes.count >= 24 else { throw CaptureError(description: "the file is no capture: it is too short") }
        switch (bytes[0], bytes[1], bytes[2], bytes[3]) {
        case (0xd4, 0xc3, 0xb2, 0xa1), (0x4d, 0x3c, 0xb2, 0xa1): isLittleEndian = true
        case (0xa1, 0xb2, 0xc3, 0xd4), (0xa1, 0xb2, 0x3c, 0x4d): isLittleEndian = false
        case (0x0a, 0x0d, 0x0d, 0x0a):
            let record = try blockRecord(number)
            return try frame(record, number)
        default: throw CaptureError(description: "the file is neither pcap nor pcapng")
        }
        return try frame(plainRecord(number), number)
    }

    // MARK: Files

    private func uint32(_ offset: Int) -> UInt32 {
        let value = bytes[offset..<(offset + 4)].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return isLittleEndian ? value.byteSwapped : value
    }

    private func uint16(_ offset: Int) -> UInt16 {
        let value = UInt16(bytes[offset]) << 8 | UInt16(bytes[offset + 1])
        return isLittleEndian ? value.byteSwapped : value
    }

    private func plainRecord(_ number: Int) throws(CaptureError) -> Record {
        var offset = 24
        var count = 0
        while offset + 16 <= bytes.count {
            let captured = Int(uint32(offset + 8))
            guard captured <= bytes.count - offset - 16 else { break }
            count += 1
            if count == number {
                return Record(
                    linkType: uint32(20) & 0x0fff_ffff, range: (offset + 16)..<(offset + 16 + captured),
                    length: Int(uint32(offset + 12)))
            }
            offset += 16 + captured
        }
        throw CaptureError(description: "the capture has \(count) packets, and no packet \(number)")
    }

    // Blocks: type, length, body, length again.
    private mutating func blockRecord(_ number: Int) throws(CaptureError) -> Record {
        var offset = 0
        var count = 0
        var linkTypes: [UInt32] = []
        while offset + 12 <= bytes.count {
            if bytes[offset..<(offset + 4)].elementsEqual([0x0a, 0x0d, 0x0d, 0x0a]) {
                isLittleEndian = bytes[offset + 8] == 0x4d
                linkTypes = []
            }
            let type = uint32(offset)
            let length = Int(uint32(offset + 4))
            guard length >= 12, length % 4 == 0, length <= bytes.count - offset else { break }
            let room = length - 12
            switch type {
            case 1 where room >= 8 && linkTypes.count < 1024: linkTypes.append(UInt32(uint16(offset + 8)))
            case 6 where room >= 20:
                count += 1
                let captured = Int(uint32(offset + 20))
                let interface = Int(uint32(offset + 8))
                guard count == number else { break }
                guard captured <= room - 20, interface < linkTypes.count else {
                    throw CaptureError(description: "packet \(number) of the capture is damaged")
                }
                return Record(
                    linkType: linkTypes[interface], range: (offset + 28)..<(offset + 28 + captured),
                    length: Int(uint32(offset + 24)))
            case 3 where room >= 4:
                count += 1
                guard count == number, let linkType = linkTypes.first else { break }
                let original = Int(uint32(offset + 8))
                let captured = min(original, room - 4)
                return Record(
                    linkType: linkType, range: (offset + 12)..<(offset + 12 + captured), length: original)
            default: break
            }
            offset += length
        }
        throw CaptureError(description: "the capture has \(count) packets, and no packet \(number)")
    }

    // MARK: Frames

    private func frame(_ record: Record, _ number: Int) throws(CaptureError) -> CapturedFrame {
        let data = Array(bytes[record.range])
        let missing = max(0, record.length - data.count)
        func made(_ etherType: UInt16, from start: Int, _ macs: (MACAddress?, MACAddress?)) -> CapturedFrame {
            CapturedFrame(
                destination: macs.0, source: macs.1, etherType: etherType, payload: Array(data.dropFirst(start)),
                missing: missing)
        }
        func type(_ offset: Int) -> UInt16 { UInt16(data[offset]) << 8 | UInt16(data[offset + 1]) }
        switch record.linkType {
        case 1 where data.count >= 14:
            return made(type(12), from: 14, (MACAddress(Array(data[0..<6])), MACAddress(Array(data[6..<12]))))
        case 101 where !data.isEmpty, 12 where !data.isEmpty:
            return made(data[0] >> 4 == 6 ? 0x86dd : 0x0800, from: 0, (nil, nil))
        // What Linux captures on all interfaces at once.
        case 113 where data.count >= 16: return made(type(14), from: 16, (nil, nil))
        case 276 where data.count >= 20: return made(type(0), from: 20, (nil, nil))
        case 1, 12, 101, 113, 276: throw CaptureError(description: "packet \(number) is too short for its headers")
        default:
            throw CaptureError(
                description: "captures of link type \(record.linkType) are not read: Ethernet and plain IP are")
        }
    }
}
