import CZeroTier
import NetPrimitives
import Synchronization
import Testing
import ZeroTierController
import ZeroTierWire

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

    // A monitor's source, with what the node has by now.
    private final class State {
        var peers: [PeerStatus] = []
        var networks: [NetworkDetails] = []
        var controlled: [ControlledNetwork] = []

        var source: NodeMonitor.Source {
            NodeMonitor.Source(
                info: { NodeInfo(isOnline: true) }, offlineReason: { "no root answers" },
                network: { [self] id in networks.first { $0.status.id == id } },
                peer: { [self] id in peers.first { $0.id == id } },
                controlled: { [self] id in controlled.first { $0.id == id } })
        }
    }

    @Test func `what a controller says comes with the network and the member`() throws {
        var record = NetworkRecord(id: ZeroTierWire.NetworkID(0xe5_79b4_2b36_000001))
        record.name = "home"
        record.routes = [NetworkRoute(target: try #require(IPPrefix("10.1.0.0/16")), via: IPAddress("10.1.0.1"))]
        let state = State()
        state.controlled = [ControlledNetwork(record, [])]
        state.peers = [Self.peer]
        let id = state.controlled[0].id
        var monitor = NodeMonitor()
        for (event, code1, code2, peer) in [
            (.memberWaiting(id, Self.peer.id), 160, 280, Self.peer.id.value),
            (.networkMemberChanged(id, Self.peer.id), 161, 281, Self.peer.id.value),
            (.controlledNetworkChanged(id), 162, 282, nil),
        ] as [(NodeEvent, Int32, Int16, UInt64?)] {
            #expect(event.rank == 1)
            let told = monitor.take(event, state.source)
            try #require(told.count == 1)
            #expect(told[0].rank == 1)
            let firstCodes = first(told[0]) { message in
                #expect(message.peer?.pointee.address == peer)
                guard let network = message.network?.pointee else {
                    Issue.record("no network")
                    return
                }
                #expect(network.nwid == id.value && network.mtu == 2800 && network.num_routes == 1)
                #expect(network.routes.0.target.ss_family == 2 && network.routes.0.via.ss_family == 2)
            }
            #expect(firstCodes == [code1])
            let secondCodes = second(told[0]) { message in
                #expect(message.peer?.pointee.peer_id == peer)
                guard let network = message.network?.pointee else {
                    Issue.record("no network")
                    return
                }
                #expect(network.net_id == id.value && network.mtu == 2800 && network.route_count == 1)
                #expect(network.status == ZTS_NETWORK_STATUS_OK && network.type == ZTS_NETWORK_TYPE_PRIVATE)
                #expect(network.name.0 == 0x68 && network.name.4 == 0)
            }
            #expect(secondCodes == [code2])
        }
        // Of one that is gone there is its ID.
        state.controlled = []
        let gone = try #require(monitor.take(.controlledNetworkChanged(id), state.source).first)
        _ = first(gone) { #expect($0.network?.pointee.nwid == id.value && $0.network?.pointee.mtu == 0) }
        _ = second(gone) { #expect($0.network?.pointee.status == ZTS_NETWORK_STATUS_NOT_FOUND) }
    }

    @Test func `what a node says of its peers becomes events, once each`() {
        var monitor = NodeMonitor()
        let state = State()
        state.peers = [Self.peer]
        func codes(_ event: NodeEvent) -> [Int32] {
            monitor.take(event, state.source).compactMap { event in
                switch event {
                case .peer(_, let info), .path(_, _, let info): #expect(info.status.id == Self.peer.id)
                default: Issue.record("\(event)")
                }
                return event.codes.first
            }
        }
        #expect(codes(.peerDirect(Self.peer.id, Self.endpoint)) == [96])
        #expect(codes(.path(Self.peer.id, Self.endpoint, .learned)) == [112])
        #expect(codes(.path(Self.peer.id, Self.endpoint, .silent)) == [114])
        #expect(codes(.path(Self.peer.id, Self.endpoint, .revived)) == [113])
        #expect(codes(.path(Self.peer.id, Self.endpoint, .lost)).isEmpty)
        #expect(codes(.peerRelayed(Self.peer.id)) == [97])
        // A peer that is forgotten is told of, although nothing is known of it any more.
        state.peers = []
        #expect(codes(.peerExpired(Self.peer.id)) == [98])
        // One that was told of as unreachable is not told of again.
        #expect(codes(.peerUnreachable(Self.peer.id)) == [98])
        #expect(codes(.peerExpired(Self.peer.id)).isEmpty)
    }

    // The codes of both generations for a node's events about one network.
    private func fold(
        _ monitor: inout NodeMonitor, _ state: State, _ events: [NodeEvent]
    ) -> [Int16] {
        events.flatMap { monitor.take($0, state.source) }.compactMap(\.codes.second)
    }

    @Test func `a network comes up address by address, its state after them, and goes down as a whole`() async throws {
        let node = try await Node.start(.init(storage: .store(MemoryStore(identity: TestIdentity.second))))
        let id = NetworkID.adHoc(ports: 7...9)
        try node.startJoining(id)
        var details = try #require(try node.networkDetails(of: id))
        await node.shutdown()
        let six = try #require(details.status.addresses.first)
        let four = IPPrefix("10.1.2.3/24")!
        let route = NetworkStatus.Route(target: IPPrefix("10.9.0.0/16")!, via: IPAddress("10.1.2.9")!)
        details.status.routes = [route]
        details.routeAttributes = [NetworkDetails.RouteAttributes(flags: 0, metric: 7)]
        details.revision = 1
        details.status.addresses = [six, four]
        let state = State()
        var monitor = NodeMonitor()
        // The node is ahead of its events.
        state.networks = [details]
        #expect(fold(&monitor, state, [.online, .networkChanged(id)]) == [201])
        #expect(fold(&monitor, state, [.address(id, six, isAdded: true)]) == [230, 233, 262])
        #expect(fold(&monitor, state, [.networkChanged(id)]).isEmpty)
        #expect(fold(&monitor, state, [.address(id, four, isAdded: true)]) == [230, 260])
        #expect(fold(&monitor, state, [.route(id, route, isAdded: true)]) == [250])
        #expect(
            fold(&monitor, state, [.networkChanged(id), .networkReady(id, addresses: [])]) == [215, 216, 217, 213])
        // One address takes another's place: the interface stays up.
        let other = IPPrefix("10.1.2.4/24")!
        details.status.addresses = [other]
        details.revision = 2
        state.networks = [details]
        #expect(
            fold(
                &monitor, state,
                [
                    .address(id, six, isAdded: false), .address(id, four, isAdded: false),
                    .address(id, other, isAdded: true), .networkChanged(id),
                ]) == [263, 261, 230, 260, 219])
        // All are taken away.
        details.status.addresses = []
        details.revision = 3
        state.networks = [details]
        #expect(
            fold(&monitor, state, [.address(id, other, isAdded: false), .networkChanged(id)]) == [261, 234, 231, 219])
        details.status.addresses = [four]
        state.networks = [details]
        #expect(
            fold(&monitor, state, [.address(id, four, isAdded: true), .networkChanged(id)])
                == [230, 233, 260, 215, 219])
        // Left: what was not told of goes untold.
        state.networks = []
        #expect(fold(&monitor, state, [.networkChanged(id)]).isEmpty)
        #expect(fold(&monitor, state, [.networkLeft(id), .networkLeft(id)]) == [261, 251, 234, 231, 232, 218])
    }

    @Test func `states are told once a root has answered`() async throws {
        let node = try await Node.start(.init(storage: .store(MemoryStore(identity: TestIdentity.second))))
        let id = NetworkID.adHoc(ports: 7...9)
        try node.startJoining(id)
        let details = try #require(try node.networkDetails(of: id))
        await node.shutdown()
        let state = State()
        state.networks = [details]
        var monitor = NodeMonitor()
        let prefix = try #require(details.status.addresses.first)
        #expect(
            fold(&monitor, state, [.networkChanged(id), .address(id, prefix, isAdded: true), .networkChanged(id)])
                == [230, 233, 262])
        #expect(fold(&monitor, state, [.online]) == [201, 216, 213])
        #expect(fold(&monitor, state, [.offline, .online]) == [202, 201])
    }
}
