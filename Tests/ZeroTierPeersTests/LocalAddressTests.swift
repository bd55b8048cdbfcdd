import NetPrimitives
import Testing
import ZeroTierWire

@testable import ZeroTierPeers

/// Nodes with several addresses, of both families.
@Suite struct LocalAddressTests {
    @Test func `our addresses do not go to a stranger who says that it relays`() {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        let endpoints = (1...4).map { Fixture.endpoint(40, $0) }
        a.engine.setLocalNetwork(endpoints, now: star.hub.now)
        star.hub.sendFrame(b, to: a.address)
        star.hub.run(.milliseconds(20))
        guard var packet = a.received.last?.packet else { return }
        let stranger = Fixture.endpoint(60, 1)
        packet.path = PhysicalPath(localSocket: 0, remote: stranger)
        packet.hops = 1
        star.hub.forgetLog()
        a.engine.noteTrust(packet, now: star.hub.now)
        star.hub.settle(a)
        #expect(!star.hub.log.contains { $0.to == stranger })
        #expect(star.hub.log.contains { $0.from == a.sockets[0] })
    }

    @Test(arguments: [false, true])
    func `an endpoint of the other family is not tried from the socket of this one`(isRedirect: Bool) throws {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        star.hub.run(.seconds(5))
        let other = SocketEndpoint(try #require(IPAddress("2a00::7")), port: 9993)
        let record = PushDirectPaths.Record(
            flags: isRedirect ? PushDirectPaths.Record.clusterRedirectFlag : 0, endpoint: other)
        let prober = Prober(b.identity, to: a.identity)
        guard let id = a.engine.topology.lookUp(b.address) else { return }
        a.engine.topology.peers[id].lastTrust = nil
        func tries(_ packetID: UInt64) -> [Int32] {
            let others = (1...20).map { PushDirectPaths.Record(endpoint: Fixture.endpoint(30, $0)) }
            let push = PushDirectPaths([record] + others)
            var batch = ReceiveBatch()
            var replies = TransmitBatch()
            var out = TransmitBatch()
            let bytes = prober.packet(Verb.pushDirectPaths.rawValue, push.encoded, id: packetID)
            _ = bytes.withBytes { batch.append($0, path: PhysicalPath(localSocket: 0, remote: b.sockets[0])) }
            _ = a.engine.open(&batch, at: 0, replies: &replies, now: star.hub.now)
            a.engine.transmitControl(into: &out, now: star.hub.now)
            return out.runs.filter { $0.path.remote == other }.map(\.path.localSocket)
        }
        #expect(tries(50).isEmpty)
        #expect(a.engine.topology.peers[id].heldEndpoints.contains(other) == !isRedirect)
        star.hub.trust(a, b)
        #expect(tries(51) == [PhysicalPath.anySocket])
    }

    @Test func `an introduction of the other family is followed from any socket`() throws {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        let other = SocketEndpoint(try #require(IPAddress("2a00::7")), port: 9993)
        // What is told is paid from what came.
        for _ in 0..<8 { star.hub.sendFrame(star.root, to: a.address) }
        star.hub.run(.milliseconds(20))
        let prober = Prober(star.root.identity, to: a.identity)
        let bytes = prober.packet(Verb.rendezvous.rawValue, Rendezvous(peer: b.address, endpoint: other).encoded)
        var batch = ReceiveBatch()
        var replies = TransmitBatch()
        var out = TransmitBatch()
        _ = bytes.withBytes { batch.append($0, path: PhysicalPath(localSocket: 0, remote: star.root.sockets[0])) }
        _ = a.engine.open(&batch, at: 0, replies: &replies, now: star.hub.now)
        a.engine.transmitControl(into: &out, now: star.hub.now)
        #expect(out.runs.filter { $0.path.remote == other }.map(\.path.localSocket) == [PhysicalPath.anySocket])
    }

    @Test func `a root that is used tells once a minute how each socket is seen, even if their first HELLOs were lost`()
    {
        let star = Star(leaves: 0)
        let places = (1...3).map { Fixture.endpoint(1, $0) }
        star.hub.passes = { $0.from != places[1] && $0.from != places[2] }
        let node = star.hub.add(Fixture.identities[1], places, PeerConfiguration(planet: star.planet))
        node.engine.setLocalNetwork(places, now: star.hub.now)
        star.hub.run(.seconds(5))
        #expect(node.isOnline)
        star.hub.passes = { _ in true }
        star.hub.forgetLog()
        star.hub.run(ProtocolLimits.fullHelloKeepalive + .seconds(2))
        let asked = Set(star.hub.log.filter { $0.to == star.root.sockets[0] && $0.isHello }.map(\.from))
        #expect(asked == Set(places))
        // One round a minute.
        #expect(star.hub.log.count { $0.from == places[1] && $0.isHello } <= 2)
    }

    @Test func `our address changes once, by however many sockets we hear of it, and on one line alone`() throws {
        var surfaces = SurfaceAddresses()
        let scopes = PathScopes(allowsLoopback: false)
        let start = MonotonicInstant(nanoseconds: 1)
        func report(_ surface: String, by socket: Int32, from root: String) throws -> SurfaceAddresses.OnReport {
            let path = PhysicalPath(
                localSocket: socket, remote: SocketEndpoint(try #require(IPAddress(root)), port: 9993))
            return surfaces.report(
                SocketEndpoint(try #require(IPAddress(surface)), port: 9993), reporter: Address(5), path: path,
                scopes: scopes, isTrusted: true, start)
        }
        for socket: Int32 in [0, 1] { #expect(try report("9.9.9.1", by: socket, from: "8.8.8.8") == .nothing) }
        #expect(try report("9.9.9.1", by: 0, from: "8.8.8.9") == .nothing)
        #expect(try report("7.7.7.7", by: 2, from: "8.8.8.8") == .nothing)
        #expect(try report("2a00::1", by: 3, from: "2a00::8") == .nothing)
        #expect(try report("9.9.9.2", by: 1, from: "8.8.8.8") == .addressChanged(.init(scope: .global, isIPv4: true)))
        #expect(try report("9.9.9.2", by: 0, from: "8.8.8.8") == .nothing)
        #expect(try report("9.9.9.2", by: 0, from: "8.8.8.9") == .nothing)
        let all = surfaces.all(start).map(\.address.description)
        #expect(all == ["7.7.7.7", "9.9.9.2", "2a00::1"])
    }

    @Test func `a machine that gets its only address back asks its roots at once`() {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let a = star.leaves[0]
        a.engine.setLocalNetwork([a.sockets[0]], now: star.hub.now)
        star.hub.run(.seconds(5))
        a.engine.setLocalNetwork([], gone: [0], now: star.hub.now)
        star.hub.settle(a)
        // Nothing leaves a machine without an address.
        star.hub.passes = { _ in false }
        star.hub.run(.seconds(60))
        star.hub.passes = { _ in true }
        #expect(!a.isOnline)
        a.engine.setLocalNetwork([a.sockets[0]], now: star.hub.now)
        star.hub.settle(a)
        #expect(star.hub.run(until: { a.isOnline }, within: .milliseconds(100)))
    }
}
