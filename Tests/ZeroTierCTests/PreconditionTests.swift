import CZeroTier
import Foundation
import Testing

@testable import ZeroTierC

/// Tests of the one node that the exported functions mean: one at a time.
@Suite(.serialized) enum SharedNodeTests {}

extension SharedNodeTests {
    /// Return codes of the exported functions while no service runs, as the specification's tables have them.
    @Suite(.serialized) struct PreconditionTests {
        private var buffer = [UInt8](repeating: 0, count: 128)

        @Test func `generation 1 checks arguments, then the service`() {
            #expect(zts_stop() == -3)
            #expect(zts_restart() == -3)
            #expect(zts_core_running() == 0)
            #expect(zts_join(1) == -3)
            #expect(zts_leave(1) == -3)
            #expect(zts_leave_all() == -3)
            #expect(zts_get_num_joined_networks() == -3)
            #expect(zts_get_node_id() == 0xffff_ffff_ffff_fffd)
            #expect(zts_get_node_status() == 1)
            #expect(zts_get_network_status(0) == -2)
            #expect(zts_get_network_status(1) == -3)
            #expect(zts_get_peer_status(1) == -3)
            #expect(zts_get_peer_count() == -3)
            #expect(zts_orbit(1, 1) == -3)
            var count: Int32 = 1
            #expect(zts_get_peers(nil, &count) == -2)
            var peer = zts_peer_details()
            #expect(zts_get_peers(&peer, nil) == -2)
            #expect(zts_get_peers(&peer, &count) == -3)
            #expect(zts_get_peer(&peer, 0) == -2)
            #expect(zts_get_peer(nil, 1) == -2)
            #expect(zts_get_peer(&peer, 1) == -3)
            #expect(zts_get_network_details(1, nil) == -2)
            #expect(zts_has_address(0) == -2)
            #expect(zts_has_address(1) == -3)
            #expect(zts_get_all_stats(nil) == -2)
            #expect(zts_get_protocol_stats(10, &peer) == -2)
            var proto = zts_stats_proto()
            #expect(zts_get_protocol_stats(4, &proto) == 0)
            var length = 0
            #expect(zts_get_path(nil, nil) == -2)
            #expect(zts_get_path(nil, &length) == -2)
            #expect(zts_join(0) == -2)
        }

        @Test func `a start with wrong arguments starts nothing`() {
            let callback: @convention(c) (UnsafeMutablePointer<zts_callback_msg>?) -> Void = { _ in }
            #expect(zts_start("state", nil, 0) == -2)
            #expect(zts_start(nil, callback, 0) == -2)
            #expect(zts_start("", callback, 0) == -2)
            #expect(zts_start("state", callback, -1) == -2)
            #expect(zts_start("state", callback, 65536) == -2)
            #expect(zts_core_running() == 0)
            #expect(!String(cString: zts_last_error_message()).isEmpty)
        }

        @Test mutating func `sockets of generation 1 without a service`() {
            var address = sockaddr()
            var length: socklen_t = 16
            #expect(zts_socket(2, 1, 0) == -3)
            #expect(zts_connect(0, nil, 16) == -2)
            #expect(zts_connect(0, &address, 15) == -2)
            #expect(zts_connect(0, &address, 29) == -2)
            #expect(zts_connect(0, &address, 16) == -3)
            #expect(zts_bind(0, nil, 16) == -2)
            #expect(zts_bind(0, &address, 28) == -3)
            #expect(zts_listen(0, 1) == -3)
            #expect(zts_accept(0, nil, nil) == -3)
            #expect(zts_getsockname(0, nil, &length) == -2)
            length = 12
            #expect(zts_getpeername(0, &address, &length) == -2)
            length = 28
            #expect(zts_getpeername(0, &address, &length) == -3)
            #expect(zts_send(0, nil, 1, 0) == -2)
            #expect(zts_send(0, buffer, 0, 0) == -2)
            #expect(zts_send(0, buffer, 1, 0) == -3)
            #expect(zts_recv(0, nil, 1, 0) == -2)
            #expect(zts_recv(0, &buffer, 1, 0) == -3)
            #expect(zts_sendto(0, buffer, 1, 0, nil, 16) == -2)
            #expect(zts_write(0, buffer, 0) == -2)
            #expect(zts_read(0, nil, 1) == -2)
            #expect(zts_ioctl(0, 1, nil) == -2)
            #expect(zts_fcntl(0, 3, 0) == -3)
            #expect(zts_shutdown(0, 0) == -3)
            #expect(zts_select(0, nil, nil, nil, nil) == -3)
            #expect(zts_poll(nil, 0, 0) == -3)
            #expect(zts_sendmmsg(0, nil, 1, 0) == -3)
            #expect(zts_recvmmsg(0, nil, 0, 0, nil) == -3)
            #expect(zts_close(12345) == -1)
            #expect(zts_errno_location().pointee == 9)
            #expect(zts_gethostbyname("name.test") == nil)
        }

        @Test func `generation 2 without a node`() {
            #expect(zts_node_stop() == -2)
            #expect(zts_node_free() == -2)
            #expect(zts_node_is_online() == 0)
            #expect(zts_node_get_id() == 0xffff_ffff_ffff_fffe)
            #expect(zts_node_get_port() == -2)
            #expect(zts_net_join(0) == -2)
            #expect(zts_net_get_mtu(1) == -2)
            #expect(zts_net_transport_is_ready(1) == -2)
            #expect(zts_addr_is_assigned(0, 2) == -3)
            #expect(zts_addr_is_assigned(1, 2) == 0)
            #expect(zts_addr_get_str(0, 2, nil, 46) == -3)
            #expect(zts18_socket(2, 1, 0) == -2)
            #expect(zts18_connect(0, nil, 1, 0) == -2)
            #expect(zts18_accept(0, nil, 0, nil) == -2)
            #expect(zts_bsd_send(0, nil, 0, 0) == -2)
            #expect(zts_bsd_sendmmsg(0, nil, 1, 0) == -2)
            #expect(zts_bsd_recvmmsg(0, nil, 0, 0, nil) == -2)
            #expect(zts_tcp_client("10.1.2.3", 1) == -2)
            #expect(zts_set_no_delay(0, 2) == -2)
            #expect(zts_init_set_event_handler(nil) == -3)
            // What is not there is refused when it is asked for, and may be switched off.
            #expect(zts_init_set_tcp_relay("192.0.2.1", 0) == -3)
            #expect(zts_init_set_tcp_relay("192.0.2.1", 443) == -5)
            #expect(zts_init_allow_tcp_relay(1) == -5 && zts_init_allow_tcp_relay(0) == 0)
            #expect(zts_init_force_tcp_relay(1) == -5 && zts_init_force_tcp_relay(0) == 0)
            #expect(zts_init_set_low_bandwidth_mode(1) == -5 && zts_init_set_low_bandwidth_mode(0) == 0)
            #expect(zts_init_allow_secondary_port(1) == -5 && zts_init_allow_secondary_port(0) == 0)
            #expect(zts_init_allow_port_mapping(1) == -5 && zts_init_allow_port_mapping(0) == 0)
            #expect(zts_init_blacklist_if("docker", 0) == -3)
            #expect(zts_init_blacklist_if("docker", 16) == -3)
            #expect(zts_init_set_roots("x", 1) == -3)
            #expect(zts_stats_get_all(nil) == -2)
            #expect(zts_core_lock_obtain() == -2)
        }

        @Test func `the controller looks at its arguments, and wants a node that runs`() {
            var nwid: UInt64 = 0
            #expect(zts_controller_network_create(nil, "{}") == -2 && zts18_controller_network_create(nil, "{}") == -2)
            #expect(zts_controller_network_create(&nwid, "{}") == -3)
            #expect(zts_controller_member_authorize(1, 1, true) == -3)
            #expect(zts_controller_member_authorize(1, 1 << 40, true) == -2)
            #expect(String(cString: zts_last_error_message()).contains("40 bits"))
            #expect(zts_controller_network_list(nil, nil) == -2 && zts18_controller_network_list(nil, nil) == -2)
            #expect(zts_instance_controller_enable(77, true) == -2)
        }

        @Test func `every failure has a message of its own, and a success leaves it`() {
            func message() -> String { String(cString: zts_last_error_message()) }
            #expect(zts_join(0) == -2)
            #expect(message().contains("network ID"))
            #expect(zts_join(1) == -3)
            #expect(message().contains("does not run"))
            #expect(zts_close(12345) == -1)
            #expect(message().contains("descriptor"))
            #expect(zts_get_event_fd(0) == -3)
            #expect(message().contains("does not run"))
            #expect(zts_dns_get_server(2) == nil)
            #expect(message().contains("index"))
            #expect(zts_get_node_status() == 1)
            #expect(message().contains("index"))
            #expect(zts_instance_stop(77) == -2)
            #expect(message().contains("no instance 77"))
        }

        @Test func `what is calculated needs no service`() {
            #expect(zts_generate_adhoc_nwid_from_range(0x1234, 0x5678) == 0xff12_3456_7800_0000)
            #expect(zts_net_compute_adhoc_id(0x1234, 0x5678) == 0xff12_3456_7800_0000)
            var storage = sockaddr_storage()
            #expect(zts_get_6plane_addr(&storage, 0, 1) == -2)
            #expect(zts_get_6plane_addr(&storage, 0x8056_c2e2_1c00_0001, 0x12_3456_789a) == 0)
            #expect(storage.ss_family == 10)
            var text = [CChar](repeating: 0, count: 46)
            #expect(zts_addr_compute_6plane_str(0x8056_c2e2_1c00_0001, 0x12_3456_789a, &text, 46) == 0)
            #expect(textOf(text) == "fc9c:56c2:e312:3456:789a::1")
            #expect(zts_addr_compute_rfc4193_str(0x8056_c2e2_1c00_0001, 0x12_3456_789a, &text, 46) == 0)
            #expect(textOf(text) == "fd80:56c2:e21c:0:199:9312:3456:789a")
            #expect(zts_addr_compute_rfc4193_str(1, 1, &text, 45) == -3)
            #expect(zts_util_get_ip_family("10.1.2.3") == 2)
            #expect(zts_util_get_ip_family("::1") == 10)
            #expect(zts_util_get_ip_family("name") == -1)
            var address = zts_ip_addr()
            #expect(zts_ipaddr_aton("::ffff:1", &address) == 1)
            #expect(address.type == 6)
            #expect(String(cString: zts_ipaddr_ntoa(&address)) == "::ffff:1" || address.type == 6)
            #expect(String(cString: zts_strerror(-3)).contains("service"))
            #expect(String(cString: zts18_strerror(-3)).contains("argument"))
            #expect(String(cString: zts_strerror(111)).contains("refused"))
        }

        @Test func `a loopback address as text is parsed, not taken for any`() {
            var storage = zts_sockaddr_in6()
            var length = UInt32(MemoryLayout<zts_sockaddr_in6>.size)
            let code = withUnsafeMutablePointer(to: &storage) { pointer in
                pointer.withMemoryRebound(to: zts_sockaddr.self, capacity: 1) {
                    zts_util_ipstr_to_saddr("::1", 80, $0, &length)
                }
            }
            #expect(code == 0 && length == 28)
            #expect(storage.sin6_addr.un.u8_addr.15 == 1)
        }

        @Test func `errors are the thread's own`() async {
            _ = zts_close(12345)
            #expect(zts_errno_location().pointee == 9)
            let other = await withCheckedContinuation { continuation in
                let thread = Thread { continuation.resume(returning: zts_errno_location().pointee) }
                thread.start()
            }
            #expect(other == 0)
        }
    }
}
