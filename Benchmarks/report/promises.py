"""The ratios that are formed in one run, and what the project promises: the one place for thresholds."""

import statistics

# Name, numerator, denominator: formed in each round of the numbers of that round, then the median is taken.
RATIOS = [
    ("ratio.ours_over_roofline", "ours.stream1_mbit", "roofline.stream1_mbit"),
    ("ratio.ours_over_kernel", "ours.stream1_mbit", "kernel.stream1_mbit"),
    ("ratio.ours_over_libzt", "ours.stream1_mbit", "libzt.stream1_mbit"),
    ("ratio.stream8_over_roofline", "ours.stream8_mbit", "roofline.stream1_mbit"),
    ("ratio.stream8_over_libzt", "ours.stream8_mbit", "libzt.stream8_mbit"),
    ("ratio.async_over_threads", "ours.async1_mbit", "ours.stream1_mbit"),
    ("ratio.async8_over_threads", "ours.async8_mbit", "ours.stream8_mbit"),
    ("ratio.library_over_ours", "library.stream1_mbit", "ours.stream1_mbit"),
    ("ratio.library8_over_ours", "library.stream8_mbit", "ours.stream8_mbit"),
    ("ratio.library_pingpong_over_ours", "library.pingpong64_p50_us", "ours.pingpong64_p50_us"),
    ("ratio.pingpong_over_kernel", "ours.pingpong64_p50_us", "kernel.pingpong64_p50_us"),
    ("ratio.pingpong_ipv4_over_ipv6", "ours.pingpong64_ipv4_p50_us", "ours.pingpong64_p50_us"),
    ("ratio.pingpong_over_libzt", "ours.pingpong64_p50_us", "libzt.pingpong64_p50_us"),
    ("ratio.connects_over_libzt", "ours.connects_per_s", "libzt.connects_per_s"),
    ("ratio.udp1200_over_libzt", "ours.udp1200_received_mbit", "libzt.udp1200_received_mbit"),
    ("ratio.udp64_over_libzt", "ours.udp64_received_mbit", "libzt.udp64_received_mbit"),
    ("ratio.relay_over_forwarder", "relay.root_mbit", "relay.forwarder_mbit"),
    ("ratio.ours_over_wireguard_go", "ours.stream1_mbit", "wireguard_go.stream1_mbit"),
    ("ratio.ours_over_nebula", "ours.stream1_mbit", "nebula.stream1_mbit"),
]

# Row, direction, limit of `make bench` (None: not promised there), limit of the short form, what is missed. Each row is
# a ratio of one run, a count, or far from what a busy machine could do to it. The full form judges medians, the short
# one the best round: a machine that others use too makes a round slow, never fast.
PROMISES = [
    ("ratio.ours_over_roofline", "at least", 0.4, 0.2, "one stream's share of the roofline"),
    ("ratio.ours_over_libzt", "at least", 5, None, "one stream over the real library's"),
    ("ratio.library_over_ours", "at least", 0.9, None, "the C library's stream over the Swift interface's"),
    ("ratio.library_pingpong_over_ours", "at most", 1.1, None, "the C library's ping-pong over the Swift interface's"),
    ("ratio.pingpong_over_kernel", "at most", 8, 12, "a round trip over the kernel's own"),
    ("ratio.async_over_threads", "at least", 0.5, None, "a stream of tasks over one of threads"),
    ("ratio.relay_over_forwarder", "at least", 0.3, None, "a root's relaying over a bare forwarder's"),
    ("ours.stream8_jain", "at least", 0.8, 0.6, "fairness of eight streams"),
    ("ours.udp1200_loss_percent", "at most", 30, 60, "loss of 1200-byte datagrams in a flood, percent"),
    ("ours.online_s", "at most", 0.3, None, "seconds from start to online"),
    ("ours.idle_wakeups_per_s", "at most", 1, 1, "wake-ups of a quiet node per second"),
    ("ours.idle_rss_kb", "at most", 32 * 1024, 28 * 1024, "memory of a quiet Swift program with Foundation, kB"),
    ("ours.idle_anonymous_kb", "at most", 6 * 1024, 3 * 1024, "memory of it that holds no code, kB"),
    ("scale.connection_client_bytes", "at most", 4096, None, "memory of an idle connection where it was opened, bytes"),
    ("scale.connection_server_bytes", "at most", 4096, None, "memory of an idle connection where it was accepted, bytes"),
    ("controller.request_p99_ms", "at most", 20, None, "a config request of 1,000 a second in a network of 100,000, 99th percentile, ms"),
    ("controller.list_ms", "at most", 200, None, "the list of 100,000 members, ms"),
    ("controller.rss_mb", "at most", 400, None, "memory of a controller of 100,000 members, MB"),
    ("controller.idle_more_kb", "at most", 5 * 1024, None, "memory of 10 networks of 100 members at rest, kB"),
    ("service.errors", "at most", 0, None, "errors of 300,000 questions for members of a network of 100,000"),
    ("service.list_ms", "at most", 200, None, "the list of 100,000 members over HTTP, ms"),
    ("service.rss_mb", "at most", 400, None, "memory of a service of 100,000 members, at its most, MB"),
    ("service.small_more_kb", "at most", 17 * 1024, None, "memory of a service of 10 networks of 100 members in use, kB"),
    ("library.idle_wakeups_per_s", "at most", 1, None, "wake-ups of the C library's quiet node per second"),
    ("library.idle_rss_kb", "at most", 12 * 1024, None, "memory of the C library's quiet node, kB"),
    ("allocations.tcp", "at most", 10, 10, "allocations of 256 MB of TCP"),
]


def add_ratios(rounds):
    """Puts the ratios that can be formed into each round: {row: [samples]}."""
    for samples in rounds:
        for name, above, below in RATIOS:
            if samples.get(above) and samples.get(below) and statistics.median(samples[below]):
                samples[name] = [round(statistics.median(samples[above]) / statistics.median(samples[below]), 3)]


def check(rounds, short):
    """One dictionary per promise that was measured: row, direction, limit, value, kept, text."""
    results = []
    for row, direction, limit, loose, text in PROMISES:
        limit = loose if short else limit
        values = [statistics.median(samples[row]) for samples in rounds if samples.get(row)]
        if limit is None or not values:
            continue
        if short:
            value = max(values) if direction == "at least" else min(values)
        else:
            value = statistics.median(values)
        kept = value >= limit if direction == "at least" else value <= limit
        results.append({"row": row, "direction": direction, "limit": limit, "value": value, "kept": kept, "text": text})
    return results
