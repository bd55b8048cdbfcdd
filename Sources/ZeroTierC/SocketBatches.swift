// Many messages by one call, for both generations. Read first: sendmmsg(2), recvmmsg(2).
// Public functions are documented in the header that declares them.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

public import CZeroTier
import Glibc
import NetPrimitives
import ZeroTier
import ZeroTierLibrary
import ZeroTierSockets

/// A `struct zts_mmsghdr` of either generation.
protocol MessageRecord {
    var name: UnsafeMutableRawPointer? { get }
    var nameLength: UInt32 { get set }
    /// The first of the vectors, which are laid out alike in all generations: address and length.
    var vectors: UnsafeRawPointer? { get }
    var pieces: Int { get }
    var length: UInt32 { get set }
    /// What a receive call tells besides name and length: no control messages, and whether the message was cut.
    mutating func setFlags(isTruncated: Bool)
}

extension zts_mmsghdr: MessageRecord {
    var name: UnsafeMutableRawPointer? { unsafe msg_hdr.msg_name }
    var nameLength: UInt32 {
        get { unsafe msg_hdr.msg_namelen }
        set { unsafe msg_hdr.msg_namelen = newValue }
    }
    var vectors: UnsafeRawPointer? { unsafe UnsafeRawPointer(msg_hdr.msg_iov) }
    var pieces: Int { unsafe Int(clamping: msg_hdr.msg_iovlen) }
    var length: UInt32 {
        get { unsafe msg_len }
        set { unsafe msg_len = newValue }
    }
    mutating func setFlags(isTruncated: Bool) {
        unsafe msg_hdr.msg_controllen = 0
        unsafe msg_hdr.msg_flags = isTruncated ? Int32(MSG_TRUNC) : 0
    }
}

extension zts18_mmsghdr: MessageRecord {
    var name: UnsafeMutableRawPointer? { unsafe msg_hdr.msg_name }
    var nameLength: UInt32 {
        get { unsafe msg_hdr.msg_namelen }
        set { unsafe msg_hdr.msg_namelen = newValue }
    }
    var vectors: UnsafeRawPointer? { unsafe UnsafeRawPointer(msg_hdr.msg_iov) }
    var pieces: Int { unsafe Int(msg_hdr.msg_iovlen) }
    var length: UInt32 {
        get { unsafe msg_len }
        set { unsafe msg_len = newValue }
    }
    mutating func setFlags(isTruncated: Bool) {
        unsafe msg_hdr.msg_controllen = 0
        // ZTS_MSG_TRUNC
        unsafe msg_hdr.msg_flags = isTruncated ? 0x04 : 0
    }
}

/// The messages of one call. Sound as long as the program's promise holds: that many records, and the memory they name, for
/// the call.
@safe
private struct RecordBatch<Record: MessageRecord>: OutgoingBatch, IncomingBatch {
    let records: UnsafeMutablePointer<Record>
    let count: Int

    init(_ records: UnsafeMutablePointer<Record>, count: UInt32) {
        unsafe self.records = unsafe records
        self.count = Int(count)
    }

    private static var vectorSize: Int { 16 }

    private func vector(_ index: Int, of message: Int) -> (start: UnsafeMutableRawPointer?, length: Int) {
        let place = unsafe records[message].vectors! + index * Self.vectorSize
        return unsafe (
            place.load(as: UnsafeMutableRawPointer?.self), place.load(fromByteOffset: Self.vectorSize / 2, as: Int.self)
        )
    }

    func pieces(_ message: Int) throws(SocketError) -> Int {
        let count = unsafe records[message].pieces
        guard unsafe records[message].vectors != nil || count == 0 else {
            throw SocketError(.badMemory, "msg_iov of message \(message) is NULL while its msg_iovlen is not 0")
        }
        unsafe try SocketCalls.check(count) { unsafe vector($0, of: message) }
        return count
    }

    func message(_ index: Int) throws(SocketError) -> (pieces: Int, destination: SocketEndpoint?) {
        let count = try pieces(index)
        return unsafe (count, try SocketCalls.destination(records[index].name, records[index].nameLength))
    }

    func piece(_ index: Int, of message: Int, _ use: (RawSpan) -> Void) {
        let (start, length) = unsafe vector(index, of: message)
        use(unsafe UnsafeRawBufferPointer(start: start, count: length).bytes)
    }

    func piece(_ index: Int, of message: Int, _ use: (inout MutableRawSpan) -> Void) {
        let (start, length) = unsafe vector(index, of: message)
        var span = unsafe UnsafeMutableRawBufferPointer(start: start, count: length).mutableBytes
        use(&span)
    }

    func sent(_ message: Int, bytes: Int) { unsafe records[message].length = UInt32(clamping: bytes) }

    func received(_ message: Int, _ result: ReceivedMessage) {
        unsafe records[message].length = UInt32(clamping: result.count)
        if let source = result.source {
            unsafe AddressMemory.write(source, to: records[message].name, length: &records[message].nameLength)
        } else {
            unsafe records[message].nameLength = 0
        }
        unsafe records[message].setFlags(isTruncated: result.isTruncated)
    }
}

extension SocketCalls {
    static let noRecords = "msgvec is NULL while vlen is not 0"

    static func sendBatch<Record: MessageRecord>(
        _ descriptor: Int32, _ records: UnsafeMutablePointer<Record>?, _ count: UInt32, _ flags: Int32,
        _ generation: Generation
    ) -> Int {
        on(descriptor, generation) { (place) throws(SocketError) in
            guard let records = unsafe records else {
                guard count == 0 else { throw SocketError(.badMemory, noRecords) }
                _ = try place.socket.family
                return 0
            }
            return try place.socket.sendBatch(
                unsafe RecordBatch(records, count: count), flags: SocketCalls.flags(flags))
        }
    }

    /// `limit`: seconds and nanoseconds; the call writes there what is left of it if it receives something.
    static func receiveBatch<Record: MessageRecord>(
        _ descriptor: Int32, _ records: UnsafeMutablePointer<Record>?, _ count: UInt32, _ flags: Int32,
        _ limit: (seconds: UnsafeMutablePointer<Int>, nanoseconds: UnsafeMutablePointer<Int>)?,
        _ generation: Generation
    ) -> Int {
        on(descriptor, generation) { (place) throws(SocketError) in
            var deadline: MonotonicInstant?
            if let limit = unsafe limit {
                let (seconds, nanoseconds) = unsafe (limit.seconds.pointee, limit.nanoseconds.pointee)
                guard seconds >= 0, (0..<1_000_000_000).contains(nanoseconds) else {
                    throw SocketError(.invalid, "timeout is negative, or has 1,000,000,000 nanoseconds or more")
                }
                deadline =
                    SystemClock.monotonic() + .seconds(min(seconds, longestWait)) + .nanoseconds(nanoseconds)
            }
            guard let records = unsafe records else {
                guard count == 0 else { throw SocketError(.badMemory, noRecords) }
                _ = try place.socket.family
                return 0
            }
            let result = try place.socket.receiveBatch(
                unsafe RecordBatch(records, count: count), flags: SocketCalls.flags(flags),
                until: deadline)
            if let limit = unsafe limit, let deadline, result > 0 {
                let rest = max(.zero, deadline - SystemClock.monotonic()).components
                unsafe limit.seconds.pointee = Int(rest.seconds)
                unsafe limit.nanoseconds.pointee = Int(rest.attoseconds / 1_000_000_000)
            }
            return result
        }
    }

    // In seconds. A longer limit means none: it would overflow the clock.
    private static let longestWait = 1_000_000_000
}

private func int(_ result: Int) -> Int32 { Int32(clamping: result) }

// Where the parts of a time limit lie.
private func parts(
    _ limit: UnsafeMutablePointer<timespec>?
) -> (seconds: UnsafeMutablePointer<Int>, nanoseconds: UnsafeMutablePointer<Int>)? {
    guard let limit = unsafe limit else { return nil }
    return unsafe (elements(limit, \.tv_sec, as: Int.self), elements(limit, \.tv_nsec, as: Int.self))
}

private func parts(
    _ limit: UnsafeMutablePointer<zts_timespec>?
) -> (seconds: UnsafeMutablePointer<Int>, nanoseconds: UnsafeMutablePointer<Int>)? {
    guard let limit = unsafe limit else { return nil }
    return unsafe (elements(limit, \.tv_sec, as: Int.self), elements(limit, \.tv_nsec, as: Int.self))
}

// MARK: Generation 1

@c @implementation
public func zts_sendmmsg(
    _ fd: Int32, _ msgvec: UnsafeMutablePointer<zts_mmsghdr>?, _ vlen: UInt32, _ flags: Int32
) -> Int32 { unsafe int(SocketCalls.sendBatch(fd, msgvec, vlen, flags, .first)) }

@c @implementation
public func zts_recvmmsg(
    _ fd: Int32, _ msgvec: UnsafeMutablePointer<zts_mmsghdr>?, _ vlen: UInt32, _ flags: Int32,
    _ timeout: UnsafeMutablePointer<timespec>?
) -> Int32 { unsafe int(SocketCalls.receiveBatch(fd, msgvec, vlen, flags, parts(timeout), .first)) }

// MARK: Generation 2

@c @implementation
public func zts_bsd_sendmmsg(
    _ fd: Int32, _ msgvec: UnsafeMutablePointer<zts18_mmsghdr>?, _ vlen: UInt32, _ flags: Int32
) -> Int32 {
    unsafe int(
        SocketCalls.checked(fd, msgvec != nil || vlen == 0, SocketCalls.noRecords) {
            unsafe SocketCalls.sendBatch(fd, msgvec, vlen, flags, .second)
        })
}

@c @implementation
public func zts_bsd_recvmmsg(
    _ fd: Int32, _ msgvec: UnsafeMutablePointer<zts18_mmsghdr>?, _ vlen: UInt32, _ flags: Int32,
    _ timeout: UnsafeMutablePointer<zts_timespec>?
) -> Int32 {
    unsafe int(
        SocketCalls.checked(fd, msgvec != nil || vlen == 0, SocketCalls.noRecords) {
            unsafe SocketCalls.receiveBatch(fd, msgvec, vlen, flags, parts(timeout), .second)
        })
}
