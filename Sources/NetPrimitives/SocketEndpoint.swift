// An address and a port; and where a datagram goes or came from.

/// An IP address and a port.
public struct SocketEndpoint: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The address.
    public let address: IPAddress
    /// The port, 0 for none.
    public let port: UInt16

    /// Makes an endpoint.
    @inlinable
    public init(_ address: IPAddress, port: UInt16) {
        self.address = address
        self.port = port
    }

    /// Parses `10.0.0.1:80`, `[fd00::1]:80`, and ZeroTier's `10.0.0.1/80`, `fd00::1/80`.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard
            let mark = bytes.lastIndex(of: UInt8(ascii: "/")) ?? bytes.lastIndex(of: UInt8(ascii: ":")),
            let port = UInt16(String(decoding: bytes[(mark + 1)...], as: UTF8.self))
        else { return nil }
        var host = Array(bytes[..<mark])
        if host.first == UInt8(ascii: "["), host.last == UInt8(ascii: "]") {
            host = Array(host.dropFirst().dropLast())
        } else if bytes[mark] == UInt8(ascii: ":"), host.contains(UInt8(ascii: ":")) {
            return nil
        }
        guard let address = IPAddress(String(decoding: host, as: UTF8.self)) else { return nil }
        self.init(address, port: port)
    }

    /// Orders by address, then port.
    public static func < (left: SocketEndpoint, right: SocketEndpoint) -> Bool {
        (left.address, left.port) < (right.address, right.port)
    }

    /// `10.0.0.1:80` or `[fd00::1]:80`.
    public var description: String { address.isIPv4 ? "\(address):\(port)" : "[\(address)]:\(port)" }
}

/// One way to a remote UDP endpoint: the local socket and the remote address.
public struct PhysicalPath: Hashable, Sendable, CustomStringConvertible {
    /// The driver's number of the local socket; `anySocket` sends from every socket of the address family.
    public let localSocket: Int32
    /// Time to live of the datagram, 0 for the system's default. Only the hole-punch datagram sets it.
    public let timeToLive: UInt8
    /// The other end.
    public let remote: SocketEndpoint

    /// Stands for every local socket of the remote's family.
    public static let anySocket: Int32 = -1

    /// Makes a path.
    @inlinable
    public init(localSocket: Int32, remote: SocketEndpoint, timeToLive: UInt8 = 0) {
        self.localSocket = localSocket
        self.remote = remote
        self.timeToLive = timeToLive
    }

    /// `socket>remote`.
    public var description: String { "\(localSocket)>\(remote)" }
}
