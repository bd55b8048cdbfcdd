import CZeroTier
import Foundation
import NetPrimitives
import Synchronization
import Testing
import ZeroTier

@testable import ZeroTierC

/// Two nodes behind the C functions, the process's own and an instance, and data between them.
extension SharedNodeTests {
    @Suite(.serialized) struct EndToEndTests {
        static let codes = Mutex<[Int32]>([])
        /// What threads got that asked for the lock of the queries.
        static let obtained = Mutex<[Int32]>([])

        private static let network = NetworkID.adHoc(ports: 1...65535).value

        // Directories of nodes that know the test's planet.
        private func directory(_ world: LifecycleTests.World, _ identity: String) throws -> String {
            let path = FileManager.default.temporaryDirectory.appendingPathComponent("zt-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: path, withIntermediateDirectories: true)
            try Data(world.planet).write(to: path.appendingPathComponent("planet"))
            try Data(identity.utf8).write(to: path.appendingPathComponent("identity.secret"))
            return path.path
        }

        private func until(_ what: String, seconds: Int = 20, _ condition: () -> Bool) async throws {
            for _ in 0..<(50 * seconds) {
                if condition() { return }
                try await Task.sleep(for: .milliseconds(20))
            }
            Issue.record("\(what) does not come: \(Self.codes.withLock { $0 })")
        }

        private func address(_ port: UInt16, _ bytes: [UInt8]? = nil) -> zts_sockaddr_in6 {
            var result = zts_sockaddr_in6()
            result.sin6_family = 10
            result.sin6_port = port.bigEndian
            if let bytes { withUnsafeMutableBytes(of: &result.sin6_addr) { $0.copyBytes(from: bytes) } }
            return result
        }

        private func asHost<Result>(_ address: zts_sockaddr_in6, _ body: (UnsafeMutablePointer<sockaddr>) -> Result)
            -> Result
        {
            var copy = address
            return withUnsafeMutablePointer(to: &copy) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0) }
            }
        }

        @Test func `a stream, a datagram and all kinds of waiting between two nodes`() async throws {
            let world = try LifecycleTests.World()
            let paths = [try directory(world, TestIdentity.first), try directory(world, TestIdentity.second)]
            defer { for path in paths { try? FileManager.default.removeItem(atPath: path) } }
            #expect(
                zts_start(
                    paths[0], { message in EndToEndTests.codes.withLock { $0.append(message!.pointee.eventCode) } }, 0)
                    == 0)
            let instance = zts_instance_start(paths[1], nil, nil, 0)
            try #require(instance > 0)
            try await until("online") { zts_get_node_status() == 2 && zts_instance_is_online(instance) == 1 }
            #expect(zts_join(Self.network) == 0)
            #expect(zts_instance_join(instance, Self.network) == 0)
            try await until("the networks") {
                zts_get_network_status(Self.network) == 38
                    && zts_instance_get_network_status(instance, Self.network) == 38
            }
            try checkQueries(instance)
            try await stream(instance)
            try batches(instance)
            try await instanceLife(instance)
            #expect(zts_instance_free(instance) == 0)
            #expect(zts_instance_free(instance) == -2)
            try await obtainWithoutRelease()
            #expect(zts_stop() == 0)
            #expect(zts_socket(2, 1, 0) == -3)
            try await until("the end of the wait for the lock") { Self.obtained.withLock { $0.count } == 2 }
            #expect(Self.obtained.withLock { $0 } == [0, -2])
            try await until("the end") { Self.codes.withLock { $0.last } == 3 }
            #expect(zts_core_running() == 0)
            await world.root.shutdown()
        }

        // A thread ends with the lock, and another waits for it. Both live at one time, so that they are not taken for the same.
        private func obtainWithoutRelease() async throws {
            let obtain: @Sendable () -> Void = {
                let result = zts_core_lock_obtain()
                Self.obtained.withLock { $0.append(result) }
            }
            let turn = DispatchSemaphore(value: 0)
            Foundation.Thread.detachNewThread {
                turn.wait()
                obtain()
            }
            Foundation.Thread.detachNewThread {
                obtain()
                turn.signal()
            }
            try await until("the lock") { Self.obtained.withLock { $0.count } == 1 }
            // So that the other waits already when the node stops; it fails later just as well.
            try await Task.sleep(for: .milliseconds(100))
            #expect(Self.obtained.withLock { $0 } == [0])
        }

        private func checkQueries(_ instance: Int32) throws {
            #expect(zts_get_num_joined_networks() == 1)
            #expect(zts_has_address(Self.network) == 1)
            #expect(zts_get_num_assigned_addresses(Self.network) == 1)
            var details = zts_network_details()
            #expect(zts_get_network_details(Self.network, &details) == 0)
            #expect(details.nwid == Self.network && details.num_addresses == 1 && details.mtu >= 1280)
            #expect(details.addr.0.ss_family == 10)
            #expect(zts_get_network_details(1, &details) == -5)
            var storage = sockaddr_storage()
            #expect(zts_get_address(Self.network, &storage, 2) == -5)
            #expect(zts_get_address(Self.network, &storage, 10) == 0)
            var peers = [zts_peer_details](repeating: zts_peer_details(), count: 16)
            var count: Int32 = 0
            #expect(zts_get_peers(&peers, &count) == -2)
            count = 16
            #expect(zts_get_peers(&peers, &count) == 0)
            #expect(peers.prefix(Int(count)).contains { $0.role == ZTS_PEER_ROLE_PLANET && $0.pathCount > 0 })
            #expect(zts_get_peer_status(peers[0].address) == 96 || zts_get_peer_status(peers[0].address) == 97)
            #expect(zts_get_peer_status(0x99_9999_9999) == 98)
            var text = [CChar](repeating: 0, count: 64)
            #expect(zts_gethostname(&text, 64) == 0)
            #expect(textOf(text) == NodeID(zts_get_node_id()).description)
            // The other generation sees the same node.
            #expect(zts_node_start() == -2)
            #expect(zts_net_transport_is_ready(Self.network) == 1)
            #expect(zts_node_get_id() == zts_get_node_id())
            text = [CChar](repeating: 0, count: 64)
            #expect(zts_net_get_mac_str(Self.network, &text, 18) == 0)
            #expect(textOf(text).count == 17)
            #expect(zts_core_lock_obtain() == 0)
            #expect(zts_core_query_addr_count(Self.network) == 1)
            #expect(zts_core_lock_release() == 0)
            #expect(zts_core_lock_release() == -2)
        }

        // What a program asks about one of several nodes; then that one stops, starts again and is made anew.
        private func instanceLife(_ instance: Int32) async throws {
            #expect(zts_instance_is_running(instance) == 1)
            #expect(zts_instance_get_node_status(instance) == 2)
            #expect(zts_instance_get_node_id(instance) != zts_get_node_id())
            #expect(zts_instance_get_num_joined_networks(instance) == 1)
            var details = zts_network_details()
            #expect(zts_instance_get_network_details(instance, Self.network, &details) == 0)
            #expect(details.nwid == Self.network && details.num_addresses == 1)
            #expect(zts_instance_get_network_details(instance, 1, &details) == -5)
            #expect(String(cString: zts_last_error_message()).contains("not joined"))
            var count: Int32 = 1
            #expect(zts_instance_get_all_network_details(instance, &details, &count) == 0 && count == 1)
            #expect(zts_instance_get_num_assigned_addresses(instance, Self.network) == 1)
            // The two nodes know each other, and the same root.
            var peer = zts_peer_details()
            #expect(zts_instance_get_peer(instance, &peer, zts_get_node_id()) == 0)
            #expect(peer.role == ZTS_PEER_ROLE_LEAF && peer.pathCount > 0)
            #expect(zts_instance_get_peer_status(instance, zts_get_node_id()) == 96)
            var peers = [zts_peer_details](repeating: zts_peer_details(), count: 16)
            count = 16
            #expect(zts_instance_get_peers(instance, &peers, &count) == 0)
            #expect(count == zts_instance_get_peer_count(instance))
            // Its stack has seen the stream, and counts apart from the other one.
            var statistics = zts_stats()
            #expect(zts_instance_get_all_stats(instance, &statistics) == 0 && statistics.tcp.recv > 0)
            var tcp = zts_stats_proto()
            #expect(zts_instance_get_protocol_stats(instance, 4, &tcp) == 0)
            #expect(zts_instance_orbit(instance, 0x12_3456_7890, 0x12_3456_7890) == 0)
            #expect(zts_instance_deorbit(instance, 0x12_3456_7890) == 0)
            #expect(zts_instance_stop(instance) == 0)
            #expect(zts_instance_stop(instance) == -3)
            #expect(zts_instance_socket(instance, 10, 1, 0) == -3)
            #expect(zts_get_num_joined_networks() == 1)
            try await until("the start") { zts_instance_start_again(instance) == 0 }
            #expect(zts_instance_start_again(instance) == -4)
            try await until("the network again") { zts_instance_get_network_status(instance, Self.network) == 38 }
            #expect(zts_instance_restart(instance) == 0)
            try await until("the network after a restart") {
                zts_instance_get_network_status(instance, Self.network) == 38
            }
        }

        private func stream(_ instance: Int32) async throws {
            let listener = zts_instance_socket(instance, 10, 1, 0)
            try #require(listener >= 1 << 20)
            #expect(asHost(address(4000)) { zts_bind(listener, $0, 28) } == 0)
            #expect(zts_listen(listener, 4) == 0)
            var storage = sockaddr_storage()
            #expect(zts_instance_get_address(instance, Self.network, &storage, 10) == 0)
            // The host's layout, as it came, with a port.
            let remote = withUnsafeMutablePointer(to: &storage) { pointer in
                pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { pointer in
                    pointer.pointee.sin6_port = UInt16(4000).bigEndian
                    return pointer.pointee
                }
            }
            let client = zts_socket(10, 1, 0)
            #expect(client == 0, "descriptors begin at 0")
            #expect(zts_fcntl(client, 4, Int32(O_NONBLOCK)) == 0)
            #expect(zts_fcntl(client, 3, 0) & 1 == 1)
            var host = remote
            let first = withUnsafePointer(to: &host) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { zts_connect(client, $0, 28) }
            }
            #expect(first == -1)
            #expect(zts_errno_location().pointee == 115)
            try await until("the connection") {
                var entries = [
                    zts_pollfd(fd: client, events: 2, revents: 0), zts_pollfd(fd: listener, events: 1, revents: 0),
                ]
                return zts_poll(&entries, 2, 20) == 2 && entries[0].revents & 2 != 0 && entries[1].revents & 1 != 0
            }
            var error: Int32 = -1
            var size = socklen_t(4)
            #expect(zts_getsockopt(client, 0xfff, 0x1007, &error, &size) == 0)
            #expect(error == 0 && size == 4)
            let server = zts_accept(listener, nil, nil)
            #expect(server > listener)
            #expect(zts_fcntl(client, 4, 0) == 0)
            try echo(client, server)
            #expect(zts_close(client) == 0)
            #expect(zts_close(client) == -1)
            var byte: UInt8 = 0
            #expect(zts_read(server, &byte, 1) == 0, "the end of the stream")
            #expect(zts_close(server) == 0)
            #expect(zts_close(listener) == 0)
        }

        // Datagrams by one call of generation 1, taken by one of generation 2, and back.
        private func batches(_ instance: Int32) throws {
            let server = zts_instance_socket(instance, 10, 2, 0)
            #expect(asHost(address(4001)) { zts_bind(server, $0, 28) } == 0)
            var storage = sockaddr_storage()
            #expect(zts_instance_get_address(instance, Self.network, &storage, 10) == 0)
            let remote = withUnsafeBytes(of: &storage) { address(4001, Array($0[8..<24])) }
            let client = zts_socket(10, 2, 0)
            #expect(asHost(remote) { zts_connect(client, $0, 28) } == 0)
            let room = 64
            let bytes = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 4 * room)
            let vectors = UnsafeMutableBufferPointer<iovec>.allocate(capacity: 4)
            let first = UnsafeMutableBufferPointer<zts_mmsghdr>.allocate(capacity: 4)
            let second = UnsafeMutableBufferPointer<zts18_mmsghdr>.allocate(capacity: 4)
            let names = UnsafeMutableBufferPointer<zts_sockaddr_in6>.allocate(capacity: 4)
            defer {
                bytes.deallocate()
                vectors.deallocate()
                first.deallocate()
                second.deallocate()
                names.deallocate()
            }
            names.initialize(repeating: zts_sockaddr_in6())
            for index in 0..<4 {
                let text = [UInt8](repeating: UInt8(index), count: room)
                _ = bytes[(index * room)..<((index + 1) * room)].update(fromContentsOf: text)
                vectors[index] = iovec(iov_base: bytes.baseAddress! + index * room, iov_len: 10 + index)
                first[index] = zts_mmsghdr()
                first[index].msg_hdr.msg_iov = vectors.baseAddress! + index
                first[index].msg_hdr.msg_iovlen = 1
                second[index] = zts18_mmsghdr()
                second[index].msg_hdr.msg_iov = vectors.baseAddress! + index
                second[index].msg_hdr.msg_iovlen = 1
                second[index].msg_hdr.msg_name = UnsafeMutableRawPointer(names.baseAddress! + index)
                second[index].msg_hdr.msg_namelen = 28
            }
            #expect(zts_sendmmsg(client, first.baseAddress, 4, 0) == 4)
            #expect(first.map(\.msg_len) == [10, 11, 12, 13])
            for index in 0..<4 { vectors[index].iov_len = index == 2 ? 5 : room }
            bytes.update(repeating: 0xee)
            var limit = zts_timespec(tv_sec: 10, tv_nsec: 0)
            #expect(zts_bsd_recvmmsg(server, second.baseAddress, 4, 0, &limit) == 4)
            #expect(limit.tv_sec < 10 && limit.tv_sec >= 0)
            #expect(second.map(\.msg_len) == [10, 11, 5, 13])
            #expect(second.map(\.msg_hdr.msg_flags) == [0, 0, 4, 0])
            for index in 0..<4 {
                let taken = Int(second[index].msg_len)
                #expect(bytes[(index * room)..<(index * room + taken)].allSatisfy { $0 == UInt8(index) })
                #expect(bytes[index * room + taken] == 0xee)
                #expect(names[index].sin6_family == 10 && second[index].msg_hdr.msg_namelen == 28)
                vectors[index].iov_len = 7
            }
            #expect(zts_bsd_sendmmsg(server, second.baseAddress, 4, 0) == 4)
            var time = timespec(tv_sec: 10, tv_nsec: 0)
            #expect(zts_recvmmsg(client, first.baseAddress, 4, 0, &time) == 4)
            #expect(first.map(\.msg_len) == [7, 7, 7, 7])
            time = timespec(tv_sec: 0, tv_nsec: 1_000_000)
            #expect(zts_recvmmsg(client, first.baseAddress, 4, 0, &time) == -1 && zts_errno_location().pointee == 11)
            #expect(zts_close(client) == 0 && zts_close(server) == 0)
        }

        private func echo(_ client: Int32, _ server: Int32) throws {
            #expect(zts_write(client, Array("Welcome to the machine".utf8), 22) == 22)
            var got = [UInt8](repeating: 0, count: 128)
            #expect(zts_recv(server, &got, 128, 0x01) == 22)
            #expect(zts_read(server, &got, 128) == 22)
            #expect(String(decoding: got.prefix(22), as: UTF8.self) == "Welcome to the machine")
            // The peer's address in 16 bytes of room says that it has 28.
            var name = [UInt8](repeating: 0xee, count: 32)
            var length = socklen_t(16)
            let code = name.withUnsafeMutableBytes { buffer in
                zts_getpeername(client, buffer.baseAddress!.assumingMemoryBound(to: sockaddr.self), &length)
            }
            #expect(code == 0 && length == 28 && name[1] == 10 && name[16] == 0xee)
            var readable = fd_set()
            czerotier_fd_set(client, &readable)
            var none = timeval(tv_sec: 0, tv_usec: 10_000)
            #expect(zts_select(client + 1, &readable, nil, nil, &none) == 0)
            #expect(zts_send(server, Array("x".utf8), 1, 0) == 1)
            czerotier_fd_set(client, &readable)
            var long = timeval(tv_sec: 10, tv_usec: 0)
            #expect(zts_select(client + 1, &readable, nil, nil, &long) == 1)
            #expect(czerotier_fd_isset(client, &readable) == 1)
            var waiting: Int32 = 0
            #expect(zts_ioctl(client, 0x4008_667f, &waiting) == 0 && waiting == 1)
            #expect(zts_read(client, &got, 128) == 1)
            var time = timeval(tv_sec: 0, tv_usec: 20_000)
            #expect(zts_setsockopt(client, 0xfff, 0x1006, &time, 16) == 0)
            #expect(zts_read(client, &got, 128) == -1 && zts_errno_location().pointee == 11)
            #expect(zts_setsockopt(client, 0xfff, 1, &waiting, 4) == -1 && zts_errno_location().pointee == 92)
            // TCP_CONGESTION of the host: a name in 16 bytes.
            #expect(zts_setsockopt(client, 6, 13, "cubic", 5) == 0)
            var congestion = [UInt8](repeating: 0xEE, count: 20)
            var congestionLength: UInt32 = 20
            #expect(zts_getsockopt(client, 6, 13, &congestion, &congestionLength) == 0 && congestionLength == 16)
            #expect(congestion == Array("cubic".utf8) + Array(repeating: 0, count: 11) + [0xEE, 0xEE, 0xEE, 0xEE])
            #expect(zts_setsockopt(client, 6, 13, "vegas", 5) == -1 && zts_errno_location().pointee == 2)
        }
    }
}
