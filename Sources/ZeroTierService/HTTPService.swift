// The service on sockets. Read first: Docs/decisions/0033-the-service.md.

package import NetPrimitives
import Glibc
import HummingbirdCore
import NIOCore
import NIOPosix
package import ZeroTier

/// A service that listens, until it is stopped.
package final class HTTPService: Sendable {
    /// Where to listen.
    package enum Scope: Sendable {
        /// This machine alone can ask.
        case loopback
        /// Every address of the machine: the rules of access say who may ask.
        case everywhere
    }

    /// The port, the same at every address.
    package let port: UInt16
    /// The addresses.
    package let addresses: [IPAddress]
    /// Where it listens.
    package let scope: Scope
    private let listeners: [HTTPListener]
    private let group: MultiThreadedEventLoopGroup
    private let limits: HTTPLimits
    private let service: NodeService

    private init(
        _ listeners: [HTTPListener], _ scope: Scope, _ group: MultiThreadedEventLoopGroup, _ limits: HTTPLimits,
        _ service: NodeService
    ) {
        self.scope = scope
        self.service = service
        port = listeners[0].port
        addresses = listeners.map(\.address)
        self.listeners = listeners
        self.group = group
        self.limits = limits
    }

    /// Begins to listen. `port` 0 is any free one. Throws `portTaken` if somebody else has the port. `complain` gets a sentence when
    /// something is wrong later.
    package static func start(
        _ service: NodeService, _ scope: Scope, port: UInt16, limits: HTTPLimits = HTTPLimits(),
        complain: @escaping @Sendable (String) -> Void
    ) async throws(ZeroTierError) -> HTTPService {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let shared = HTTPListener.Shared(
            responder: HTTPResponder(service, limits), limits: limits, group: group, complain: complain)
        let makeListener: HTTPListener.Maker = { (address, port) throws(ZeroTierError) in
            try await HTTPListener.start(address, port, shared)
        }
        do throws(ZeroTierError) {
            return HTTPService(try await listen(scope, port, makeListener), scope, group, limits, service)
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    /// Stops listening, waits a moment for requests that are open, and ends.
    package func stop() async {
        service.endStreams()
        let end = Task { [limits, listeners] in
            guard (try? await Task.sleep(for: limits.stopTime)) != nil else { return }
            for listener in listeners { listener.cancel() }
        }
        await withTaskGroup(of: Void.self) { tasks in
            for listener in listeners { tasks.addTask { await listener.finish() } }
        }
        end.cancel()
        try? await group.shutdownGracefully()
    }

    // MARK: Addresses

    // A port that is free at one address may be taken at the other.
    private static let trials = 16

    private static func listen(
        _ scope: Scope, _ wanted: UInt16, _ make: HTTPListener.Maker
    ) async throws(ZeroTierError) -> [HTTPListener] {
        var trial = 0
        while true {
            trial += 1
            do throws(ZeroTierError) {
                return try await listenOnce(scope, wanted, make)
            } catch  where error.code == .portTaken && wanted == 0 && trial < trials {
                continue
            }
        }
    }

    private static func listenOnce(
        _ scope: Scope, _ wanted: UInt16, _ make: HTTPListener.Maker
    ) async throws(ZeroTierError) -> [HTTPListener] {
        let ipv4 = scope == .loopback ? IPAddress(v4: 0x7f00_0001) : .anyIPv4
        let ipv6 = scope == .loopback ? IPAddress(v6High: 0, low: 1) : .anyIPv6
        // A socket at every address of IPv6 may have those of IPv4 too.
        let order = scope == .loopback ? [ipv4, ipv6] : [ipv6, ipv4]
        var listeners: [HTTPListener] = []
        var missing: ZeroTierError?
        for address in order {
            do throws(ZeroTierError) {
                listeners.append(try await make(address, listeners.first?.port ?? wanted))
            } catch {
                if scope == .everywhere, !listeners.isEmpty, error.code == .portTaken { continue }
                guard let number = error.systemError, [EADDRNOTAVAIL, EAFNOSUPPORT].contains(number) else {
                    // Half of it would be found by half of the clients.
                    for listener in listeners { await listener.finish() }
                    throw error
                }
                missing = error
            }
        }
        if let missing, listeners.isEmpty { throw missing }
        return listeners
    }
}
