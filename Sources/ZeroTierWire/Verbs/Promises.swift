//  The promises of nodes of this implementation to each other, behind the last field of HELLO and OK(HELLO). All others skip
//  them.
//
//  offset size field
//    0     4   the letters "swzt"
//    4     4   bits, big-endian

import NetPrimitives

extension Hello {
    /// The promises of the sender of a HELLO or OK(HELLO).
    package struct Promises: OptionSet, Hashable, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }

        /// The numbers that the sender takes as packet IDs before sealing only grow, over restarts as well: the Unix time in
        /// milliseconds in the upper 44 bits.
        package static let growingNumbers = Promises(rawValue: 1)

        private static let mark: UInt32 = 0x7377_7a74

        /// Reads the promises, if they are there. Other bytes behind a HELLO, padding or fields of later versions, are
        /// none.
        static func read(from reader: inout WireReader) throws(WireError) -> Promises? {
            guard reader.remaining >= Hello.promisesSize else { return nil }
            let mark = try reader.uint32("promises.mark")
            let bits = try reader.uint32("promises.bits")
            return mark == Promises.mark ? Promises(rawValue: bits) : nil
        }

        func encode(into writer: inout ByteWriter) {
            writer.uint32(Promises.mark)
            writer.uint32(rawValue)
        }
    }

    /// Bytes of the promises.
    package static let promisesSize = 8
}
