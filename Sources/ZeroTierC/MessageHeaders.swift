// The message structures of both generations, and the vectors that they point to.

import CZeroTier
import NetPrimitives
import ZeroTierSockets

/// A `struct msghdr` of either generation.
protocol MessageHeader {
    var name: UnsafeMutableRawPointer? { get }
    var nameLength: UInt32 { get set }
    /// The first of the vectors, which are laid out alike in all generations: address and length.
    var vectors: UnsafeRawPointer? { get }
    var pieces: Int { get }
    /// The other results of a receive call: no control messages, and whether the message was cut.
    mutating func setFlags(isTruncated: Bool)
}

extension MessageHeader {
    /// Writes the results of a receive call besides the bytes.
    mutating func take(_ received: ReceivedMessage) {
        if let source = received.source {
            unsafe AddressMemory.write(source, to: name, length: &nameLength)
        } else {
            nameLength = 0
        }
        setFlags(isTruncated: received.isTruncated)
    }
}

extension msghdr: MessageHeader {
    var name: UnsafeMutableRawPointer? { unsafe msg_name }
    var nameLength: UInt32 {
        get { unsafe msg_namelen }
        set { unsafe msg_namelen = newValue }
    }
    var vectors: UnsafeRawPointer? { unsafe UnsafeRawPointer(msg_iov) }
    var pieces: Int { unsafe Int(clamping: msg_iovlen) }
    mutating func setFlags(isTruncated: Bool) {
        unsafe msg_controllen = 0
        unsafe msg_flags = isTruncated ? Int32(MSG_TRUNC) : 0
    }
}

// The module has one `struct zts_msghdr`, generation 1's; its member for the vectors has another type there.
extension zts_msghdr: MessageHeader {
    var name: UnsafeMutableRawPointer? { unsafe msg_name }
    var nameLength: UInt32 {
        get { unsafe msg_namelen }
        set { unsafe msg_namelen = newValue }
    }
    var vectors: UnsafeRawPointer? { unsafe UnsafeRawPointer(msg_iov) }
    var pieces: Int { unsafe Int(msg_iovlen) }
    mutating func setFlags(isTruncated: Bool) {
        unsafe msg_controllen = 0
        // ZTS_MSG_TRUNC
        unsafe msg_flags = isTruncated ? 0x04 : 0
    }
}

/// An array of vectors in the program's memory. Sound as long as the program's promise holds: that many vectors, and the memory
/// that they name, for the call.
@safe
struct PieceVectors {
    /// Most pieces of one call, as IOV_MAX.
    static let most = 1024
    private static let size = 16

    private let start: UnsafeRawPointer?
    let count: Int

    /// Checks each vector before any is used.
    init(_ start: UnsafeRawPointer?, count: Int) throws(SocketError) {
        unsafe self.init(checked: start, count: count)
        guard (0...PieceVectors.most).contains(count) else {
            throw SocketError(.messageTooLong, "a call takes 0 to 1024 pieces")
        }
        var total = 0
        for index in 0..<count {
            let (start, length) = unsafe piece(index)
            let (sum, isTooLarge) = total.addingReportingOverflow(length)
            guard length >= 0, !isTooLarge else {
                throw SocketError(.invalid, "the pieces are longer than memory can be")
            }
            guard unsafe start != nil || length == 0 else {
                throw SocketError(.badMemory, "a piece with a length has no memory")
            }
            total = sum
        }
    }

    /// Vectors that this call has checked before.
    init(checked start: UnsafeRawPointer?, count: Int) {
        unsafe self.start = unsafe start
        self.count = count
    }

    private func piece(_ index: Int) -> (start: UnsafeMutableRawPointer?, length: Int) {
        let place = unsafe start! + index * PieceVectors.size
        return unsafe (
            place.load(as: UnsafeMutableRawPointer?.self),
            place.load(fromByteOffset: PieceVectors.size / 2, as: Int.self)
        )
    }

    func use(_ index: Int, _ use: (RawSpan) -> Void) {
        let (start, length) = unsafe piece(index)
        use(unsafe UnsafeRawBufferPointer(start: start, count: length).bytes)
    }

    func use(_ index: Int, _ use: (inout MutableRawSpan) -> Void) {
        let (start, length) = unsafe piece(index)
        var span = unsafe UnsafeMutableRawBufferPointer(start: start, count: length).mutableBytes
        use(&span)
    }
}
