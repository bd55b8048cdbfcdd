"""The cases, grouped in stages: a stage sets up one network once and runs several cases in it."""

import time

import real
from interop import stage
from lab import check

ANY_PORT = "ff0000ffff000000"
# Ad-hoc IPv4 in 28/8: it must hold none of the physical addresses (10.77/16).
IPV4 = "ff1c000000000001"
MEGABYTE = 1 << 20


def real_trio(network_lab):
    """A real root and two real nodes, a and b, that can reach each other through the root alone; all online."""
    network_lab.routed("root", "a", "b")
    identity = real.new_identity(network_lab)
    planet = real.make_planet(network_lab, network_lab.path("planet"), [(identity, ["10.77.1.2/9993"])])
    nodes = []
    for place in ("root", "a", "b"):
        node = real.RealNode(network_lab, place, network_lab.path("home-" + place))
        nodes.append(node.start(planet, identity=identity if place == "root" else None))
    return nodes


def tcp_one_way(sender, receiver, address, port, size):
    """`receiver` (a real node) accepts, `sender` (a real node) connects and sends; both checksums must agree."""
    family = 6 if ":" in address else 4
    listener = receiver.call("tcp-listen", port=port, family=family)["socket"]
    accepted = receiver.begin("tcp-accept", socket=listener, timeout=45000)
    client = sender.connect(address, port)
    server = receiver.finish(accepted)["socket"]
    receiving = receiver.begin("tcp-receive", socket=server)
    sent = sender.call("tcp-send", limit=120, socket=client, bytes=size, seed=port, shutdown=1)
    received = receiver.finish(receiving, limit=120)
    for node, socket in ((sender, client), (receiver, server), (receiver, listener)):
        node.call("close", socket=socket)
    check(int(received["bytes"]) == size, "%s of %d bytes arrived" % (received["bytes"], size))
    check(sent["checksum"] == received["checksum"], "checksums differ")
    return float(received["mbit"])


@stage(
    "real root, real nodes: all come online",
    "real with real, relayed: UDP and TCP over ad-hoc IPv6 through the root alone",
    "real with real, direct: UDP and TCP over ad-hoc IPv6, the root sees none of it",
    "real with real, direct: UDP and TCP over ad-hoc IPv4",
)
def real_with_real(runner, network_lab):
    root, a, b = real_trio(network_lab)
    with runner.case("real root, real nodes: all come online") as notes:
        notes.append("%.1f, %.1f, %.1f s" % (root.online(), a.online(), b.online()))
    address_a, address_b = a.join(ANY_PORT), b.join(ANY_PORT)
    b.call("udp-echo-serve", port=7000)
    a.call("udp-echo-serve", port=7000)

    with runner.case("real with real, relayed: UDP and TCP over ad-hoc IPv6 through the root alone") as notes:
        before = network_lab.counters("root")
        a.call("udp-exchange", address=address_b, port=7000, count=20, size=500)
        b.call("udp-exchange", address=address_a, port=7000, count=20, size=1200)
        notes.append("%.0f Mbit/s" % tcp_one_way(a, b, address_b, 7001, 4 * MEGABYTE))
        notes.append("%.0f Mbit/s" % tcp_one_way(b, a, address_a, 7002, 4 * MEGABYTE))
        relayed = network_lab.counters("root")[1] - before[1]
        check(relayed > 8 * MEGABYTE, "the root relayed %d bytes only" % relayed)

    network_lab.allow_direct("a", "b")
    with runner.case("real with real, direct: UDP and TCP over ad-hoc IPv6, the root sees none of it") as notes:
        wait_until_direct(network_lab, a, address_b, 7000)
        before = network_lab.counters("root")
        b.call("udp-exchange", address=address_a, port=7000, count=20, size=1200)
        notes.append("%.0f Mbit/s" % tcp_one_way(a, b, address_b, 7003, 4 * MEGABYTE))
        notes.append("%.0f Mbit/s" % tcp_one_way(b, a, address_a, 7004, 4 * MEGABYTE))
        relayed = network_lab.counters("root")[1] - before[1]
        check(relayed < MEGABYTE // 4, "the root relayed %d bytes" % relayed)

    with runner.case("real with real, direct: UDP and TCP over ad-hoc IPv4") as notes:
        address_a, address_b = a.join(IPV4, family=4), b.join(IPV4, family=4)
        b.call("udp-echo-serve", port=7010, family=4)
        a.call("udp-exchange", address=address_b, port=7010, count=20, size=1200, family=4, tries=20)
        notes.append("%.0f Mbit/s" % tcp_one_way(a, b, address_b, 7011, 4 * MEGABYTE))
        notes.append("%.0f Mbit/s" % tcp_one_way(b, a, address_a, 7012, 4 * MEGABYTE))


def wait_until_direct(network_lab, node, address, port, seconds=60):
    """Sends datagrams through `node` to the UDP echo at `address` until they bypass the root."""
    end = time.monotonic() + seconds
    while True:
        before = network_lab.counters("root")[0]
        node.call("udp-exchange", address=address, port=port, count=100, size=100)
        if network_lab.counters("root")[0] - before < 50:
            return
        check(time.monotonic() < end, "still relayed after %d s" % seconds)
        time.sleep(0.2)


def bench(network_lab, streams=5, stream_bytes=64 * MEGABYTE):
    """The real library with itself, direct, over IPv4 (which needs no repair): the numbers of `make bench`."""
    root, a, b = real_trio(network_lab)
    network_lab.allow_direct("a", "b")
    root.online()
    result = {"library": "libzt 1.8.4", "online_seconds": [round(a.online(), 2), round(b.online(), 2)]}
    a.join(IPV4, family=4)
    address = b.join(IPV4, family=4)
    time.sleep(5)
    before = float(a.call("status")["cpu_ms"])
    time.sleep(5)
    status = a.call("status")
    result["idle_rss_kilobytes"] = int(status["rss_kb"])
    result["idle_cpu_percent"] = round((float(status["cpu_ms"]) - before) / 50, 2)
    b.call("udp-echo-serve", port=7000, family=4)
    b.call("tcp-echo-serve", port=7001, family=4)
    a.call("udp-exchange", address=address, port=7000, count=100, size=64, family=4, tries=20)
    wait_until_direct(network_lab, a, address, 7000)
    echo = a.connect(address, 7001)
    ping = a.call("tcp-ping", socket=echo, count=5000, size=64)
    a.call("close", socket=echo)
    result["tcp_ping_pong_64_bytes_microseconds"] = {"p50": float(ping["p50_us"]), "p99": float(ping["p99_us"])}
    connects = a.call("tcp-connects", limit=120, address=address, port=7001, family=4, count=500)
    result["tcp_connects_per_second"] = float(connects["rate"])
    rates = [tcp_one_way(a, b, address, 7100 + i, stream_bytes) for i in range(streams)]
    result["tcp_one_stream_megabits_per_second"] = {"all": rates, "median": sorted(rates)[len(rates) // 2]}
    result["loaded_rss_kilobytes"] = int(a.call("status")["rss_kb"])
    return result
