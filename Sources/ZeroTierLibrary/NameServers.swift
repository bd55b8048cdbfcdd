// The name servers of this process, and names that the library's node looks up.

package import NetPrimitives
import Synchronization
package import ZeroTier

/// Servers in numbered places, which live from before the first start to the end of the process.
package enum NameServers {
    package static let limit = 8
    private static let places = Mutex<[SocketEndpoint?]>(Array(repeating: nil, count: limit))

    /// One place. `index` is below `limit`.
    package static subscript(index: Int) -> SocketEndpoint? {
        get { places.withLock { $0[index] } }
        set { places.withLock { $0[index] = newValue } }
    }

    /// Puts a server into a free place, unless it has one. False if all are taken.
    package static func add(_ server: SocketEndpoint) -> Bool {
        places.withLock { places in
            if places.contains(server) { return true }
            guard let free = places.firstIndex(of: nil) else { return false }
            places[free] = server
            return true
        }
    }

    /// Frees a server's place. False if it has none.
    package static func remove(_ server: SocketEndpoint) -> Bool {
        places.withLock { places in
            guard let index = places.firstIndex(of: server) else { return false }
            places[index] = nil
            return true
        }
    }

    /// The addresses of a name, of one family: of IPv4, or if there are none, of IPv6. Never an empty list. Without servers
    /// here the networks' own are asked.
    package static func addresses(of name: String) throws(ZeroTierError) -> [IPAddress] {
        let found: [IPAddress]
        if let known = Node.addressesWithoutServer(of: name) {
            found = known
        } else {
            guard let node = LibraryNode.shared.node else { throw starting }
            let servers = places.withLock { $0.compactMap(\.self) }
            found = try node.resolveBlocking(name, servers: servers, endsWithFirst: true)
        }
        return found.filter { $0.isIPv4 == found.first?.isIPv4 }
    }

    private static let starting = ZeroTierError(.nodeStopped, "the node is starting: no name server can be asked yet")
}
