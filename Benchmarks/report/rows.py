"""The rows as a person reads them: sections of the page, each a chart with one axis. What is in no section is in the table
at the end."""

# Title, what it shows, unit, whether less is better, rows: (row, label).
SECTIONS = [
    ("One stream", "TCP, payload only, two processes on this machine. The roofline seals, sends, receives and opens the "
     "same bytes with no TCP at all; the kernel's TCP does not encrypt.", "Mbit/s", False, [
         ("kernel.stream1_mbit", "kernel TCP, plain"),
         ("roofline.stream1_mbit", "roofline"),
         ("ours.stream1_mbit", "this library, threads"),
         ("library.stream1_mbit", "this library, C"),
         ("ours.async1_mbit", "this library, tasks"),
         ("libzt.stream1_mbit", "libzt 1.8.4"),
         ("zerotier_one.stream1_mbit", "zerotier-one"),
         ("wireguard_go.stream1_mbit", "wireguard-go"),
         ("nebula.stream1_mbit", "Nebula")]),
    ("Eight streams", "All together, at the same time.", "Mbit/s", False, [
        ("ours.stream8_mbit", "this library, threads"),
        ("library.stream8_mbit", "this library, C"),
        ("ours.async8_mbit", "this library, tasks"),
        ("libzt.stream8_mbit", "libzt 1.8.4"),
        ("wireguard_go.stream8_mbit", "wireguard-go"),
        ("nebula.stream8_mbit", "Nebula")]),
    ("How fairly eight streams share", "Jain's index: 1 when all get the same, 0.125 when one gets everything.",
     "", False, [
         ("ours.stream8_jain", "threads"), ("library.stream8_jain", "C"), ("ours.async8_jain", "tasks")]),
    ("Round trips, median", "64 bytes there and back over an open connection.", "µs", True, [
        ("kernel.pingpong64_p50_us", "kernel TCP, plain"),
        ("ours.pingpong64_p50_us", "this library, IPv6"),
        ("ours.pingpong64_ipv4_p50_us", "this library, IPv4"),
        ("library.pingpong64_p50_us", "this library, C"),
        ("relay.pingpong64_p50_us", "this library, relayed"),
        ("libzt.pingpong64_p50_us", "libzt 1.8.4")]),
    ("Round trips, the slowest in a hundred", "The 99th percentile.", "µs", True, [
        ("kernel.pingpong64_p99_us", "kernel TCP, plain"),
        ("ours.pingpong64_p99_us", "this library, IPv6"),
        ("ours.pingpong64_ipv4_p99_us", "this library, IPv4"),
        ("library.pingpong64_p99_us", "this library, C"),
        ("libzt.pingpong64_p99_us", "libzt 1.8.4")]),
    ("Connections", "Connect, end of stream, close; one after the other.", "per second", False, [
        ("ours.connects_per_s", "this library, IPv6"),
        ("ours.connects_ipv4_per_s", "this library, IPv4"),
        ("ours.restart_connects_per_s", "after a restart"),
        ("library.connects_per_s", "this library, C"),
        ("libzt.connects_per_s", "libzt 1.8.4")]),
    ("Datagrams of 1200 bytes", "Sent as fast as the interface takes them, and what a reader gets.", "Mbit/s", False, [
        ("ours.udp1200_sent_mbit", "sent"), ("ours.udp1200_received_mbit", "received"),
        ("library.udp1200_sent_mbit", "C, sent"), ("library.udp1200_received_mbit", "C, received"),
        ("libzt.udp1200_sent_mbit", "libzt 1.8.4, sent"), ("libzt.udp1200_received_mbit", "libzt 1.8.4, received")]),
    ("Datagrams of 64 bytes", "The same with small ones.", "Mbit/s", False, [
        ("ours.udp64_sent_mbit", "sent"), ("ours.udp64_received_mbit", "received"),
        ("library.udp64_sent_mbit", "C, sent"), ("library.udp64_received_mbit", "C, received"),
        ("libzt.udp64_sent_mbit", "libzt 1.8.4, sent"), ("libzt.udp64_received_mbit", "libzt 1.8.4, received")]),
    ("Relaying", "The same datagrams from the same source to the same sink through a root of ours, and through a thread "
     "that only passes them on. The relayed stream is bounded by what a root grants one source.", "Mbit/s", False, [
         ("relay.forwarder_mbit", "bare forwarder"), ("relay.root_mbit", "root"),
         ("relay.stream1_mbit", "one relayed stream")]),
    ("Wake-ups per megabyte", "How often a thread slept and was woken, per megabyte of one stream.", "per MB", True, [
        ("work.send_wakes_per_mb", "sender, threads"), ("work.receive_wakes_per_mb", "receiver, threads"),
        ("work_async.send_wakes_per_mb", "sender, tasks"), ("work_async.receive_wakes_per_mb", "receiver, tasks")]),
    ("System calls per megabyte", "Sending, receiving, waiting, locks.", "per MB", True, [
        ("work.send_calls_per_mb", "sender, threads"), ("work.receive_calls_per_mb", "receiver, threads"),
        ("work_async.send_calls_per_mb", "sender, tasks"), ("work_async.receive_calls_per_mb", "receiver, tasks"),
        ("work.acks_per_mb", "datagrams back (ACKs)")]),
    ("Allocations per megabyte", "Of the whole process, the application's own included.", "per MB", True, [
        ("work.send_allocations_per_mb", "sender, threads"), ("work.receive_allocations_per_mb", "receiver, threads"),
        ("work_async.send_allocations_per_mb", "sender, tasks"),
        ("work_async.receive_allocations_per_mb", "receiver, tasks")]),
    ("From start to the first byte", "A node whose state is stored.", "s", True, [
        ("ours.online_s", "online"), ("ours.restart_online_s", "online again"),
        ("ours.restart_first_byte_s", "first byte after a restart"), ("libzt.online_s", "libzt 1.8.4, online")]),
    ("Memory at rest", "Resident, of the whole process.", "kB", True, [
        ("ours.idle_rss_kb", "Swift program"), ("library.idle_rss_kb", "C program"), ("libzt.idle_rss_kb", "libzt 1.8.4"),
        ("ours.loaded_rss_kb", "Swift program, after load")]),
    ("An idle connection, a silent peer", "Memory of each of 10,000 connections; of each peer that a root keeps.", "bytes", True, [
        ("scale.connection_client_bytes", "where it was opened"),
        ("scale.connection_server_bytes", "where it was accepted"),
        ("scale.peer_bytes", "peer of a root")]),
    ("Questions for members", "A network of 100,000 over HTTP, each member once: five at a time, a thousand connections that "
     "stay, a connection for each.", "per second", False, [
         ("service.ztnet_per_s", "ZTNET, in fives"), ("service.zeroui_kept_per_s", "1,000 connections"),
         ("service.zeroui_per_s", "ZeroUI, all at once")]),
    ("Wake-ups at rest", "A quiet node with one peer; with 10,000 connections.", "per second", True, [
        ("ours.idle_wakeups_per_s", "Swift program"), ("library.idle_wakeups_per_s", "C program"),
        ("scale.connections_idle_wakeups_per_s", "10,000 connections")]),
    ("Machines alone, one thread", "No kernel: two stacks back to back; two whole nodes with their cipher.", "Gbit/s",
     False, [("stack.back_to_back_gbit_per_s", "TCP/IP stacks"), ("loop.gbit_per_s", "whole nodes")]),
    ("Ciphers, one thread", "Packets of 1400 bytes.", "GB/s", False, [
        ("ciphers.gmac_siv_seal_1400_gb_per_s", "AES-GMAC-SIV, seal"),
        ("ciphers.gmac_siv_open_1400_gb_per_s", "AES-GMAC-SIV, open"),
        ("ciphers.salsa_poly_seal_1400_gb_per_s", "Salsa20/12-Poly1305, seal")]),
    ("One stream by MTU of the network", "Two whole nodes in one thread, over the loopback interface.", "Gbit/s", False,
     [("mtu.%d_gbit_per_s" % size, "%d" % size)
      for size in (1280, 1500, 2000, 2800, 4000, 5600, 6500, 7000, 8000, 9000, 9800, 10000)]),
]

# What the page draws over time.
HISTORY = [
    ("ratio.ours_over_roofline", "one stream over the roofline"),
    ("ratio.pingpong_over_kernel", "a round trip over the kernel's"),
    ("ratio.async_over_threads", "tasks over threads"),
    ("ours.stream8_jain", "fairness of eight streams"),
    ("ours.stream1_mbit", "one stream, Mbit/s"),
    ("ours.pingpong64_p50_us", "round trip, µs"),
    ("ours.connects_per_s", "connections per second"),
    ("ours.udp1200_received_mbit", "datagrams received, Mbit/s"),
    ("ours.idle_rss_kb", "memory at rest, kB"),
    ("ours.idle_anonymous_kb", "of it no file's, kB"),
    ("work.receive_wakes_per_mb", "receiver's wake-ups per MB"),
]


def kind(row):
    """Whose row it is: the colour of its bar."""
    group = row.partition(".")[0]
    if group in ("kernel", "roofline") or row.startswith("relay.forwarder"):
        return "bound"
    if group in ("libzt", "zerotier_one", "wireguard_go", "nebula"):
        return "other"
    if group == "library":
        return "library"
    return "ours"
