"""The cases, grouped in stages: a stage sets up one network once and runs several cases in it.

Every stage but the first has at least one node of ours in it. Where a byte count or a packet count proves something,
it is taken from the links (lab.counters, lab.Tap), not from what a node says about itself.
"""

import time

import lab
import real
from interop import stage
from lab import check, direct_packets, packets_from, suite_packets

ANY_PORT = "ff0000ffff000000"
# Ad-hoc IPv4 in 28/8: it must hold none of the physical addresses (10.77/16).
IPV4 = "ff1c000000000001"
MEGABYTE = 1 << 20
LARGE = 64 * MEGABYTE
RECOVERY_SECONDS = 90
# Without what makes them short these took 15 to 31 s and 25 s.
NAT_SECONDS = 5
MOVE_SECONDS = 5
SMALL = MEGABYTE
# The echo's port by address family: in the real stack an IPv6 UDP socket takes the port for both.
PORTS = {4: 7004, 6: 7006}
SINK_PORT = 7300
ROOT_ENDPOINT = "10.77.1.2/9993"


def start(network_lab, endpoint=ROOT_ENDPOINT, options=None, **kinds):
    """Starts nodes at places that exist: start(lab, root=Kind, a=Kind, ...). `root` is the planet's only root.
    The nodes in the order given, all online."""
    identity = real.new_identity(network_lab)
    planet = real.make_planet(network_lab, network_lab.path("planet"), [(identity, [endpoint])])
    nodes = []
    for place, kind in kinds.items():
        node = kind(network_lab, place)
        role = {"identity": identity, "root": True} if place == "root" else (options or {}).get(place, {})
        nodes.append(node.start(planet, **role))
    for node in nodes:
        node.online()
    return nodes


def port_at(address):
    return PORTS[6 if ":" in address else 4]


def udp(client, address, **options):
    return client.exchange_udp(address, port_at(address), **options)


def tcp(client, address, size):
    return client.exchange_tcp(address, port_at(address), size)


def join_and_serve(network, family, *nodes):
    """All join and serve echoes; their addresses."""
    addresses = [node.join(network, family) for node in nodes]
    for node in nodes:
        node.serve(PORTS[family], family)
    return addresses


def both_ways_udp(a, address_a, b, address_b):
    udp(a, address_b, size=500)
    udp(b, address_a, size=1200)


def fragmented_udp(a, address_a, b, address_b, size=8000):
    """Datagrams in pieces, there and back, from each side."""
    udp(a, address_b, size=size)
    udp(b, address_a, size=size)


def both_ways_tcp(notes, a, address_a, b, address_b, size):
    """Each connects to the other's echo: `size` bytes there and back, compared, twice."""
    for client, address in ((a, address_b), (b, address_a)):
        notes.append("%.0f Mbit/s" % tcp(client, address, size))


class Relaying:
    """Proves by the links of place `name` that what its block sent went through the root (or did not)."""

    def __init__(self, network_lab, name):
        self.lab, self.tap = network_lab, direct_packets(network_lab, name)

    def __enter__(self):
        self.root_before, self.direct_before = self.lab.counters("root")[1], self.tap.count()
        return self

    def __exit__(self, *_):
        self.root_bytes = self.lab.counters("root")[1] - self.root_before
        self.direct = self.tap.count() - self.direct_before
        self.tap.socket.close()

    def check_relayed(self, least):
        check(self.direct == 0, "%d direct datagrams" % self.direct)
        check(self.root_bytes >= least, "the root forwarded %d bytes only" % self.root_bytes)

    def check_direct(self, most=MEGABYTE // 4):
        check(self.direct > 0, "no direct datagram")
        check(self.root_bytes < most, "the root forwarded %d bytes" % self.root_bytes)


def wait_until_direct(network_lab, node, address, seconds=60):
    """Sends datagrams through `node` to the echo at `address` until they bypass the root; the seconds it took."""
    began = time.monotonic()
    while True:
        before = network_lab.counters("root")[0]
        udp(node, address, count=100, size=100)
        if network_lab.counters("root")[0] - before < 50:
            return time.monotonic() - began
        check(time.monotonic() < began + seconds, "still relayed after %d s" % seconds)
        time.sleep(0.2)


@stage(
    "real root, real nodes: all come online",
    "real with real, relayed: UDP and TCP through the root alone",
    "real with real, direct: UDP and TCP, the root sees none of it",
    "real with real, direct: UDP and TCP over ad-hoc IPv4",
    ours=False,
)
def the_bench_itself(runner, network_lab):
    network_lab.routed("root", "a", "b")
    with runner.case("real root, real nodes: all come online"):
        _, a, b = start(network_lab, root=real.RealNode, a=real.RealNode, b=real.RealNode)
    relayed_then_direct(
        runner, network_lab, a, b,
        "real with real, relayed: UDP and TCP through the root alone",
        "real with real, direct: UDP and TCP, the root sees none of it")
    with runner.case("real with real, direct: UDP and TCP over ad-hoc IPv4") as notes:
        addresses = join_and_serve(IPV4, 4, a, b)
        both_ways_udp(a, addresses[0], b, addresses[1])
        both_ways_tcp(notes, a, addresses[0], b, addresses[1], 4 * MEGABYTE)


def relayed_then_direct(runner, network_lab, a, b, relayed_name, direct_name, size=4 * MEGABYTE):
    """Two nodes at places a and b of a routed network: exchanges through the root, then adds the route."""
    address_a, address_b = join_and_serve(ANY_PORT, 6, a, b)
    with runner.case(relayed_name) as notes:
        with Relaying(network_lab, "a") as links:
            both_ways_udp(a, address_a, b, address_b)
            both_ways_tcp(notes, a, address_a, b, address_b, size)
        links.check_relayed(4 * size)
    network_lab.allow_direct("a", "b")
    with runner.case(direct_name) as notes:
        notes.append("direct after %.1f s" % wait_until_direct(network_lab, a, address_b))
        with Relaying(network_lab, "a") as links:
            both_ways_udp(a, address_a, b, address_b)
            both_ways_tcp(notes, a, address_a, b, address_b, size)
        links.check_direct()
    return address_a, address_b


@stage(
    "the real node comes online through our root",
    "relayed: UDP in both directions",
    "relayed: TCP, each connects and each accepts",
    "relay forced by the links: 64 MB there and back each way without a direct packet",
    "relayed becomes direct when the route appears",
    "direct: UDP in both directions",
    "direct: TCP, each connects and each accepts",
    "direct: 64 MB there and back, the real node connects",
    "direct: 64 MB there and back, our node connects",
    "both cipher suites were used",
    "the real node restarts and the exchange goes on",
    "our node restarts and the exchange goes on",
    "our root restarts and the exchange goes on",
)
def ours_with_real(runner, network_lab):
    network_lab.routed("root", "a", "b")
    salsa, aes = suite_packets("b", 1), suite_packets("b", 3)
    with runner.case("the real node comes online through our root"):
        root, theirs, our = start(network_lab, root=runner.our_node, a=real.RealNode, b=runner.our_node)
    address_a, address_b = join_and_serve(ANY_PORT, 6, theirs, our)
    with runner.case("relayed: UDP in both directions"):
        with Relaying(network_lab, "a") as links:
            both_ways_udp(theirs, address_a, our, address_b)
        links.check_relayed(2 * 20 * 500)
    with runner.case("relayed: TCP, each connects and each accepts") as notes:
        with Relaying(network_lab, "a") as links:
            both_ways_tcp(notes, theirs, address_a, our, address_b, SMALL)
        links.check_relayed(4 * SMALL)
    with runner.case("relay forced by the links: 64 MB there and back each way without a direct packet") as notes:
        with Relaying(network_lab, "a") as links:
            both_ways_tcp(notes, theirs, address_a, our, address_b, LARGE)
        links.check_relayed(4 * LARGE)

    network_lab.allow_direct("a", "b")
    with runner.case("relayed becomes direct when the route appears") as notes:
        notes.append("direct after %.1f s" % wait_until_direct(network_lab, theirs, address_b))
        wait_until_direct(network_lab, our, address_a)
    with runner.case("direct: UDP in both directions"):
        with Relaying(network_lab, "a") as links:
            both_ways_udp(theirs, address_a, our, address_b)
        links.check_direct()
    with runner.case("direct: TCP, each connects and each accepts") as notes:
        with Relaying(network_lab, "a") as links:
            both_ways_tcp(notes, theirs, address_a, our, address_b, SMALL)
        links.check_direct()
    for name, client, address in (
            ("direct: 64 MB there and back, the real node connects", theirs, address_b),
            ("direct: 64 MB there and back, our node connects", our, address_a)):
        with runner.case(name) as notes:
            with Relaying(network_lab, "a") as links:
                notes.append("%.0f Mbit/s" % tcp(client, address, LARGE))
            links.check_direct(most=4 * MEGABYTE)
    with runner.case("both cipher suites were used") as notes:
        seen = {1: salsa.count(), 3: aes.count()}
        notes.append("on our link %d packets of suite 1, %d of suite 3" % (seen[1], seen[3]))
        check(seen[1] > 0 and seen[3] > 1000, "suites on the link: %r" % seen)
        if hasattr(our, "suites"):
            own = our.suites()
            notes.append("our counters: %r" % (own,))
            check(own[1] > 0 and own[3] > 1000, "our counters: %r" % (own,))
    restarts(runner, root, theirs, our, address_a, address_b)


def restarts(runner, root, theirs, our, address_a, address_b):
    """Kills one node after the other; every time both ways must work again. Identity and address stay."""
    def goes_on(notes):
        began = time.monotonic()
        # The other side may for a while send to a port of the node that was killed.
        for client, address in ((theirs, address_b), (our, address_a)):
            udp(client, address, count=1, tries=RECOVERY_SECONDS)
        notes.append("again after %.1f s" % (time.monotonic() - began))
        both_ways_udp(theirs, address_a, our, address_b)
        both_ways_tcp(notes, theirs, address_a, our, address_b, SMALL)

    with runner.case("the real node restarts and the exchange goes on") as notes:
        theirs = theirs.restarted()
        theirs.online()
        check(join_and_serve(ANY_PORT, 6, theirs) == [address_a], "another address after the restart")
        goes_on(notes)
    with runner.case("our node restarts and the exchange goes on") as notes:
        our = our.restarted()
        our.online()
        check(join_and_serve(ANY_PORT, 6, our) == [address_b], "another address after the restart")
        goes_on(notes)
    with runner.case("our root restarts and the exchange goes on") as notes:
        root = root.restarted()
        root.online()
        goes_on(notes)


@stage(
    "through our root, real with real, relayed: UDP and TCP",
    "through our root, real with real: introduced to each other, direct",
)
def real_with_real_through_our_root(runner, network_lab):
    network_lab.routed("root", "a", "b")
    _, a, b = start(network_lab, root=runner.our_node, a=real.RealNode, b=real.RealNode)
    relayed_then_direct(
        runner, network_lab, a, b,
        "through our root, real with real, relayed: UDP and TCP",
        "through our root, real with real: introduced to each other, direct")


@stage(
    "our node under a real root: online",
    "our node under a real root, relayed: UDP and TCP",
    "our node under a real root, direct: UDP and TCP",
    "our node under a real root, direct: UDP and TCP over ad-hoc IPv4",
    "our node under a real root, direct: UDP in pieces over IPv4, there and back, from each side",
)
def under_a_real_root(runner, network_lab):
    network_lab.routed("root", "a", "b")
    with runner.case("our node under a real root: online"):
        _, theirs, our = start(network_lab, root=real.RealNode, a=real.RealNode, b=runner.our_node)
    relayed_then_direct(
        runner, network_lab, theirs, our,
        "our node under a real root, relayed: UDP and TCP",
        "our node under a real root, direct: UDP and TCP")
    with runner.case("our node under a real root, direct: UDP and TCP over ad-hoc IPv4") as notes:
        addresses = join_and_serve(IPV4, 4, theirs, our)
        both_ways_udp(theirs, addresses[0], our, addresses[1])
        both_ways_tcp(notes, theirs, addresses[0], our, addresses[1], SMALL)
    with runner.case("our node under a real root, direct: UDP in pieces over IPv4, there and back, from each side"):
        fragmented_udp(theirs, addresses[0], our, addresses[1])


def connects_after_restart(notes, label, node, address, theirs, address_a):
    """Restarts a node on another port. The seconds from its being online until it has a TCP connection to the other side,
    and from then until the other side has one to it."""
    node = node.restarted(port=9994)
    notes.append("%s: online after %.1f s" % (label, node.online()))
    began = time.monotonic()
    node.join(ANY_PORT)
    node.connect(address_a, port_at(address_a), timeout=RECOVERY_SECONDS)
    first = time.monotonic() - began
    node.serve(PORTS[6])
    theirs.connect(address, port_at(address), timeout=RECOVERY_SECONDS)
    second = time.monotonic() - began - first
    notes.append("its connect %.1f s later, the other's after %.1f s more" % (first, second))
    return first + second


@stage(
    "behind a NAT: our node restarts on a new port, and connects both ways soon",
    "behind a NAT: the real node restarts on a new port, for comparison",
    missing=lab.without_nat,
)
def restarts_behind_a_nat(runner, network_lab):
    network_lab.routed("root", "a", "b", "c")
    network_lab.behind_nat("b", "c")
    bare = packets_from(network_lab, "root", "b"), packets_from(network_lab, "root", "c")
    _, theirs, our, other = start(network_lab, root=real.RealNode, a=real.RealNode, b=runner.our_node, c=real.RealNode)
    address_a, address_b, address_c = join_and_serve(ANY_PORT, 6, theirs, our, other)
    for address in (address_b, address_c):
        udp(theirs, address, count=1, tries=30)
    with runner.case("behind a NAT: our node restarts on a new port, and connects both ways soon") as notes:
        took = connects_after_restart(notes, "ours", our, address_b, theirs, address_a)
        check(took < NAT_SECONDS, "%.1f s" % took)
    with runner.case("behind a NAT: the real node restarts on a new port, for comparison") as notes:
        connects_after_restart(notes, "real", other, address_c, theirs, address_a)
        check([tap.count() for tap in bare] == [0, 0], "the root saw addresses that the NAT hides")


def again_after_move(network_lab, notes, label, place, mover, still, target, back):
    """Moves a node to another address while datagrams run both ways; the seconds until both arrive again."""
    began = time.monotonic()
    network_lab.move(place, 63)
    seconds = []
    for client, to in ((mover, target), (still, back)):
        client.call("udp-exchange", limit=RECOVERY_SECONDS + 30, address=to, port=port_at(to), count=1, size=100,
                    timeout=250, tries=4 * RECOVERY_SECONDS)
        seconds.append(time.monotonic() - began)
    notes.append("%s: its own again after %.1f s, the other's after %.1f s" % (label, *seconds))
    return seconds[1]


@stage(
    "our node moves to another address beside a real node, and traffic soon goes on",
    "the real node moves to another address beside a real node, for comparison",
)
def moves(runner, network_lab):
    network_lab.routed("root", "a", "b", "c")
    network_lab.allow_direct("a", "b", "c")
    _, theirs, our, other = start(network_lab, root=real.RealNode, a=real.RealNode, b=runner.our_node, c=real.RealNode)
    address_a, address_b, address_c = join_and_serve(ANY_PORT, 6, theirs, our, other)
    for node, address in ((theirs, address_b), (our, address_a), (theirs, address_c)):
        wait_until_direct(network_lab, node, address)
    with runner.case("our node moves to another address beside a real node, and traffic soon goes on") as notes:
        took = again_after_move(network_lab, notes, "ours", "b", our, theirs, address_a, address_b)
        check(took < MOVE_SECONDS, "%.1f s" % took)
    with runner.case("the real node moves to another address beside a real node, for comparison") as notes:
        again_after_move(network_lab, notes, "real", "c", other, theirs, address_a, address_c)


@stage("Salsa only: our side announces protocol 11, 64 MB there and back each way")
def salsa_only(runner, network_lab):
    network_lab.routed("root", "a", "b")
    network_lab.allow_direct("a", "b")
    with runner.case("Salsa only: our side announces protocol 11, 64 MB there and back each way") as notes:
        _, theirs, our = start(network_lab, root=runner.our_node, a=real.RealNode, b=runner.our_node,
                               options={"b": {"protocol": 11}})
        address_a, address_b = join_and_serve(ANY_PORT, 6, theirs, our)
        wait_until_direct(network_lab, theirs, address_b)
        with suite_packets("a", 1) as salsa, suite_packets("a", 3) as aes, Relaying(network_lab, "a") as links:
            both_ways_tcp(notes, theirs, address_a, our, address_b, LARGE)
            seen = (salsa.count(), aes.count())
        links.check_direct(most=4 * MEGABYTE)
        notes.append("%d packets of suite 1, %d of suite 3" % seen)
        # The real node and the root (which is not told to be old) may use suite 3 with each other.
        check(runner.options.rehearse or (seen[0] > 1000 and seen[1] < 100), "suites on the link: %r" % (seen,))


@stage("three nodes started at once in one /24: all online, every pair exchanges")
def one_network(runner, network_lab):
    network_lab.bridged("root", "a", "b", "c")
    with runner.case("three nodes started at once in one /24: all online, every pair exchanges") as notes:
        nodes = start(network_lab, endpoint="10.77.0.11/9993", root=runner.our_node, a=real.RealNode,
                      b=runner.our_node, c=real.RealNode)[1:]
        notes.append("online after " + ", ".join("%.1f" % node.online() for node in nodes) + " s")
        addresses = join_and_serve(ANY_PORT, 6, *nodes)
        for node in nodes:
            for other, address in zip(nodes, addresses):
                if other is not node:
                    udp(node, address)
                    tcp(node, address, SMALL)


def streams(sender, receiver, address, port, size, count=1):
    """Between real nodes, one direction, `count` at once, a port each: Mbit/s together. All checksums must agree."""
    pairs = []
    for number in range(count):
        listener = receiver.call("tcp-listen", port=port + number, family=4)["socket"]
        accepted = receiver.begin("tcp-accept", socket=listener, timeout=45000)
        client = sender.connect(address, port + number)
        pairs.append((client, receiver.finish(accepted)["socket"], listener))
    begun = time.monotonic()
    receiving = [receiver.begin("tcp-receive", socket=server) for _, server, _ in pairs]
    sending = [sender.begin("tcp-send", socket=client, bytes=size, seed=port + number, shutdown=1)
               for number, (client, *_) in enumerate(pairs)]
    for ours, theirs in zip(sending, receiving):
        sent, received = sender.finish(ours, limit=180), receiver.finish(theirs, limit=180)
        check(int(received["bytes"]) == size and sent["checksum"] == received["checksum"],
              "not the bytes that were sent")
    seconds = time.monotonic() - begun
    for client, server, listener in pairs:
        for node, socket in ((sender, client), (receiver, server), (receiver, listener)):
            node.call("close", socket=socket)
    return float(received["mbit"]) if count == 1 else round(8e-6 * size * count / seconds, 1)


def bench(network_lab, runs=5, stream_bytes=LARGE):
    """The real library with itself, direct, over IPv4 (which needs no repair): the numbers of `make bench`."""
    network_lab.routed("root", "a", "b")
    network_lab.allow_direct("a", "b")
    _, a, b = start(network_lab, root=real.RealNode, a=real.RealNode, b=real.RealNode)
    result = {"library": "libzt 1.8.4", "online_seconds": [round(a.online(), 2), round(b.online(), 2)]}
    address = join_and_serve(IPV4, 4, a, b)[1]
    time.sleep(5)
    before = float(a.call("status")["cpu_ms"])
    time.sleep(5)
    status = a.call("status")
    result["idle_rss_kilobytes"] = int(status["rss_kb"])
    result["idle_cpu_percent"] = round((float(status["cpu_ms"]) - before) / 50, 2)
    udp(a, address, count=100, size=64)
    wait_until_direct(network_lab, a, address)
    echo = a.connect(address, PORTS[4])
    ping = a.call("tcp-ping", socket=echo, count=5000, size=64)
    a.call("close", socket=echo)
    result["tcp_ping_pong_64_bytes_microseconds"] = {"p50": float(ping["p50_us"]), "p99": float(ping["p99_us"])}
    connects = a.call("tcp-connects", limit=120, address=address, port=PORTS[4], count=500)
    result["tcp_connects_per_second"] = float(connects["rate"])
    rates = [streams(a, b, address, 7100 + i, stream_bytes) for i in range(runs)]
    result["tcp_one_stream_megabits_per_second"] = {"all": rates, "median": sorted(rates)[len(rates) // 2]}
    result["tcp_eight_streams_megabits_per_second"] = streams(a, b, address, 7200, stream_bytes // 8, count=8)
    b.call("udp-sink-serve", port=SINK_PORT, family=4)
    for size in (64, 1200):
        flood = a.call("udp-flood", address=address, port=SINK_PORT, size=size, milliseconds=2000)
        megabits = 8e-3 * size / float(flood["ms"])
        result["udp_%d_bytes" % size] = {
            "sent_megabits_per_second": round(int(flood["sent"]) * megabits, 3),
            "received_megabits_per_second": round(int(flood["received"]) * megabits, 3),
            "loss_percent": round(100 * (1 - int(flood["received"]) / max(1, int(flood["sent"]))), 2)}
    result["loaded_rss_kilobytes"] = int(a.call("status")["rss_kb"])
    return result
