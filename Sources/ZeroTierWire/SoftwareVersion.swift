//  The release of a node: u8 major, u8 minor, u16 revision in HELLO and its reply; three u16 in peer records.

import NetPrimitives

/// The release a node announces: for display, and `1.1.0` means "cannot do ECHO".
package struct SoftwareVersion: Hashable, Sendable, CustomStringConvertible {
    package var major: UInt8
    package var minor: UInt8
    package var revision: UInt16

    package init(major: UInt8, minor: UInt8, revision: UInt16) {
        self.major = major
        self.minor = minor
        self.revision = revision
    }

    package var description: String { "\(major).\(minor).\(revision)" }
}

extension SoftwareVersion {
    /// Reads the 4 bytes that HELLO and its reply carry.
    init(from reader: inout WireReader, _ field: String) throws(WireError) {
        self.init(
            major: try reader.uint8(field), minor: try reader.uint8(field), revision: try reader.uint16(field))
    }

    func encode(into writer: inout ByteWriter) {
        writer.uint8(major)
        writer.uint8(minor)
        writer.uint16(revision)
    }
}
