// Many messages by one call, for both generations. Read first: sendmmsg(2), recvmmsg(2).
// Public functions are documented in the header that declares them.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

public import CZeroTier
import NetPrimitives
import ZeroTier
import ZeroTierLibrary
import ZeroTierSockets

/// A message of a batch, in either generation's form: its header and how many bytes were sent or received.
protocol MessageRecord: MessageHeader {
    var length: UInt32 { get set }
}

extension zts_mmsghdr: MessageRecord {
    var name: UnsafeMutableRawPointer? { unsafe msg_hdr.name }
    var nameLength: UInt32 {
        get { unsafe msg_hdr.nameLength }
        set { unsafe msg_hdr.nameLength = newValue }
    }
    var vectors: UnsafeRawPointer? { unsafe msg_hdr.vectors }
    var pieces: Int { unsafe msg_hdr.pieces }
    var length: UInt32 {
        get { unsafe msg_len }
        set { unsafe msg_len = newValue }
    }
    mutating func setFlags(isTruncated: Bool) { unsafe msg_hdr.setFlags(isTruncated: isTruncated) }
}

extension zts18_mmsghdr: MessageRecord {
    var name: UnsafeMutableRawPointer? { unsafe msg_hdr.name }
    var nameLength: UInt32 {
        get { unsafe msg_hdr.nameLength }
        set { unsafe msg_hdr.nameLength = newValue }
    }
    var vectors: UnsafeRawPointer? { unsafe msg_hdr.vectors }
    var pieces: Int { unsafe msg_hdr.pieces }
    var length: UInt32 {
        get { unsafe msg_len }
        set { unsafe msg_len = newValue }
    }
    mutating func setFlags(isTruncated: Bool) { unsafe msg_hdr.setFlags(isTruncated: isTruncated) }
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

    func pieces(_ message: Int) throws(SocketError) -> Int {
        let header = unsafe records[message]
        guard unsafe header.vectors != nil || header.pieces == 0 else {
            throw SocketError(.badMemory, "msg_iov of message \(message) is NULL while its msg_iovlen is not 0")
        }
        return unsafe try PieceVectors(header.vectors, count: header.pieces).count
    }

    private func vectors(_ message: Int) -> PieceVectors {
        unsafe PieceVectors(checked: records[message].vectors, count: records[message].pieces)
    }

    func message(_ index: Int) throws(SocketError) -> (pieces: Int, destination: SocketEndpoint?) {
        let count = try pieces(index)
        let header = unsafe records[index]
        return unsafe (count, try SocketCalls.destination(header.name, header.nameLength))
    }

    func piece(_ index: Int, of message: Int, _ use: (RawSpan) -> Void) { vectors(message).use(index, use) }

    func piece(_ index: Int, of message: Int, _ use: (inout MutableRawSpan) -> Void) {
        vectors(message).use(index, use)
    }

    func sent(_ message: Int, bytes: Int) { unsafe records[message].length = UInt32(clamping: bytes) }

    func received(_ message: Int, _ result: ReceivedMessage) {
        unsafe records[message].length = UInt32(clamping: result.count)
        unsafe records[message].take(result)
    }
}

extension SocketCalls {
    fileprivate static let noRecords = "msgvec is NULL while vlen is not 0"

    static func sendBatch<Record: MessageRecord>(
        _ descriptor: Int32, _ records: UnsafeMutablePointer<Record>?, _ count: UInt32, _ flags: Int32,
        _ surface: Surface
    ) -> Int {
        unsafe surface.on(descriptor, refusing: surface.missing(records, count)) { (place) throws(SocketError) in
            guard let records = unsafe records else {
                guard count == 0 else { throw SocketError(.badMemory, noRecords) }
                _ = try place.socket.family
                return 0
            }
            return try place.socket.sendBatch(
                unsafe RecordBatch(records, count: count), flags: SocketCalls.flags(flags))
        }
    }

    /// `limit`: seconds and nanoseconds. If the call receives something, it writes the time left there.
    static func receiveBatch<Record: MessageRecord>(
        _ descriptor: Int32, _ records: UnsafeMutablePointer<Record>?, _ count: UInt32, _ flags: Int32,
        _ limit: (seconds: UnsafeMutablePointer<Int>, nanoseconds: UnsafeMutablePointer<Int>)?,
        _ surface: Surface
    ) -> Int {
        unsafe surface.on(descriptor, refusing: surface.missing(records, count)) { (place) throws(SocketError) in
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

extension Surface {
    /// Why a call without messages is refused. In generation 1 the call itself refuses it, with an error number.
    fileprivate func missing<Record>(_ records: UnsafeMutablePointer<Record>?, _ count: UInt32) -> String? {
        unsafe generation == .second && records == nil && count > 0 ? SocketCalls.noRecords : nil
    }
}

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

@c @implementation
public func zts_sendmmsg(
    _ fd: Int32, _ msgvec: UnsafeMutablePointer<zts_mmsghdr>?, _ vlen: UInt32, _ flags: Int32
) -> Int32 { unsafe int(SocketCalls.sendBatch(fd, msgvec, vlen, flags, .first)) }

@c @implementation
public func zts_recvmmsg(
    _ fd: Int32, _ msgvec: UnsafeMutablePointer<zts_mmsghdr>?, _ vlen: UInt32, _ flags: Int32,
    _ timeout: UnsafeMutablePointer<timespec>?
) -> Int32 { unsafe int(SocketCalls.receiveBatch(fd, msgvec, vlen, flags, parts(timeout), .first)) }

@c @implementation
public func zts_bsd_sendmmsg(
    _ fd: Int32, _ msgvec: UnsafeMutablePointer<zts18_mmsghdr>?, _ vlen: UInt32, _ flags: Int32
) -> Int32 { unsafe int(SocketCalls.sendBatch(fd, msgvec, vlen, flags, .second)) }

@c @implementation
public func zts_bsd_recvmmsg(
    _ fd: Int32, _ msgvec: UnsafeMutablePointer<zts18_mmsghdr>?, _ vlen: UInt32, _ flags: Int32,
    _ timeout: UnsafeMutablePointer<zts_timespec>?
) -> Int32 { unsafe int(SocketCalls.receiveBatch(fd, msgvec, vlen, flags, parts(timeout), .second)) }
