import CZeroTier
import NetPrimitives
import Synchronization
import Testing

@testable import ZeroTier
@testable import ZeroTierC
@testable import ZeroTierLibrary

/// What a program gets of each event, in both generations: the code, and the one member that belongs to it, filled. Those
/// that a peer's silence causes take minutes in a whole node.
@Suite struct EventFormTests {
    private static let endpoint = SocketEndpoint(IPAddress("192.0.2.7")!, port: 9993)
    private static let path = PeerStatus.Path(endpoint: endpoint, isAlive: true, isPreferred: true)
    private static let peer = PeerStatus(
        id: NodeID(0xe5_79b4_2b36), role: .leaf, protocolVersion: 12, version: "1.14.1", latency: .milliseconds(20),
        isDirect: true, paths: [path])
    private static var info: PeerInfo { PeerInfo(status: peer, unixMilliseconds: 1_790_000_000_000) }

    private func first(_ event: LibraryEvent, _ check: (zts_callback_msg) -> Void) -> [Int32] {
        var codes: [Int32] = []
        withoutActuallyEscaping(check) { check in
            EventSink.generation1 { message in
                codes.append(message.pointee.eventCode)
                check(message.pointee)
            }.deliver(event)
        }
        return codes
    }

    private func second(_ event: LibraryEvent, _ check: (zts_event_msg_t) -> Void) -> [Int16] {
        var codes: [Int16] = []
        withoutActuallyEscaping(check) { check in
            EventSink.generation2 { pointer in
                let message = pointer.assumingMemoryBound(to: zts_event_msg_t.self).pointee
                codes.append(message.event_code)
                check(message)
            }.deliver(event)
        }
        return codes
    }

    @Test(
        arguments: [
            (LibraryEvent.PeerChange.direct, 96, 240), (.relayed, 97, 241),
            (.unreachable, 98, 242),
        ] as [(LibraryEvent.PeerChange, Int32, Int16)])
    func `a peer's change comes with the peer`(change: LibraryEvent.PeerChange, code1: Int32, code2: Int16) {
        let firstCodes = first(.peer(change, Self.info)) { message in
            #expect(message.peer?.pointee.address == Self.peer.id.value && message.path == nil)
            #expect(message.peer?.pointee.pathCount == 1 && message.peer?.pointee.latency == 20)
        }
        #expect(firstCodes == [code1])
        let secondCodes = second(.peer(change, Self.info)) { message in
            #expect(message.peer?.pointee.peer_id == Self.peer.id.value && message.peer?.pointee.path_count == 1)
        }
        #expect(secondCodes == [code2])
    }

    @Test(
        arguments: [
            (LibraryEvent.PathChange.discovered, 112, 243), (.alive, 113, nil),
            (.dead, 114, 244),
        ] as [(LibraryEvent.PathChange, Int32, Int16?)])
    func `a path's change comes with the path`(change: LibraryEvent.PathChange, code1: Int32, code2: Int16?) {
        let firstCodes = first(.path(change, Self.path, Self.info)) { message in
            #expect(message.path != nil && message.peer == nil)
            #expect(message.path?.pointee.address.ss_family == 2)
        }
        #expect(firstCodes == [code1])
        // Of these three generation 2 tells with the peer.
        let secondCodes = second(.path(change, Self.path, Self.info)) { message in
            #expect(message.peer?.pointee.peer_id == Self.peer.id.value)
        }
        #expect(secondCodes == [code2].compactMap { $0 })
    }

    @Test(
        arguments: [
            (LibraryEvent.NetworkChange.notFound, 32, 210), (.clientTooOld, 33, 211),
            (.requestingConfiguration, 34, 212),
            (.ok, 35, 213), (.accessDenied, 36, 214), (.readyIPv4, 37, 215), (.readyIPv6, 38, 216),
            (.readyBoth, 39, 217),
            (.down, 40, 218), (.updated, nil, 219),
        ] as [(LibraryEvent.NetworkChange, Int32?, Int16)])
    func `a network's change comes with the network`(change: LibraryEvent.NetworkChange, code1: Int32?, code2: Int16)
        async throws
    {
        let node = try await Node.start(.init(storage: .store(MemoryStore(identity: TestIdentity.second))))
        let network = NetworkID.adHoc(ports: 7...9)
        try node.startJoining(network)
        let details = try #require(try node.networkDetails().first)
        let firstCodes = first(.network(change, details)) { message in
            #expect(message.network?.pointee.nwid == network.value && message.netif == nil)
        }
        #expect(firstCodes == [code1].compactMap { $0 })
        let secondCodes = second(.network(change, details)) { message in
            #expect(message.network?.pointee.net_id == network.value)
        }
        #expect(secondCodes == [code2])
        await node.shutdown()
    }

    @Test func `what a node says of its peers becomes events, once each`() {
        var monitor = NodeMonitor()
        var peers = [Self.peer]
        func take(_ told: [NodeEvent]) -> [(Int32?, UInt64)] {
            // Paths are compared in every second round of events, and whenever there are none.
            let events = monitor.takePeers(told) { peers } + monitor.takePeers([]) { peers }
            return events.map { event in
                switch event {
                case .peer(_, let info), .path(_, _, let info): (event.generation1, info.status.id.value)
                default: (event.generation1, 0)
                }
            }
        }
        func codes(_ told: [NodeEvent]) -> [Int32] {
            let result = take(told)
            #expect(result.allSatisfy { $0.1 == Self.peer.id.value })
            return result.compactMap(\.0)
        }
        #expect(codes([.peerDirect(Self.peer.id, Self.endpoint)]) == [96, 112])
        #expect(codes([]).isEmpty)
        peers[0].paths[0].isAlive = false
        #expect(codes([]) == [114])
        peers[0].paths[0].isAlive = true
        #expect(codes([]) == [113])
        peers[0].paths = []
        #expect(codes([.peerRelayed(Self.peer.id)]) == [97, 114])
        // A peer that is forgotten is told of, although nothing is known of it any more.
        peers = []
        #expect(codes([.peerExpired(Self.peer.id)]) == [98])
        #expect(codes([]).isEmpty)
    }

    @Test func `a peer that is gone is told of as unreachable, not as relayed, and again when it is heard`() {
        var monitor = NodeMonitor()
        var peer = Self.peer
        var peers: [PeerStatus] { [peer] }
        func codes(_ told: [NodeEvent]) -> [Int32] {
            (monitor.takePeers(told) { peers } + monitor.takePeers([]) { peers }).compactMap(\.generation1)
                .filter { 96...98 ~= $0 }
        }
        #expect(codes([.peerDirect(peer.id, Self.endpoint)]) == [96])
        peer.isDirect = false
        peer.sinceReceive = .seconds(19)
        #expect(!peer.isReachable)
        #expect(codes([.peerUnreachable(peer.id)]) == [98])
        #expect(codes([]).isEmpty)
        // Once more, as it is forgotten: nothing new.
        #expect(codes([.peerExpired(peer.id)]).isEmpty)
        peer.sinceReceive = .seconds(1)
        #expect(codes([]) == [97])
        // It was always relayed, and ends: members of one network are never silent for so long.
        peer.paths = []
        peer.sinceReceive = .seconds(100)
        #expect(codes([]).isEmpty)
        peer.sinceReceive = .seconds(151)
        #expect(codes([]) == [98])
        peer.isDirect = true
        #expect(codes([]) == [96])
    }
}
