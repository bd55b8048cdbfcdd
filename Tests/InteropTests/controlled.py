"""Private networks on our controller: members are the real library and our own, mixed.

Times count from the answer of the administrator's change, which comes when the change is on disk. Whether somebody is
reached is asked by datagrams that an echo sends back, each sent once.

The real library never shows that it was refused: its state stays that of its last configuration. So only our nodes are asked
whether they know.
"""

import ipaddress
import threading
import time

import real
from cases import LARGE, PORTS, ROOT_ENDPOINT, SMALL, both_ways_tcp, both_ways_udp, tcp, udp, wait_until_direct
from interop import stage
from lab import Failure, check, until

SUBNET = ipaddress.ip_network("10.147.0.0/16")
# The real library knows states by number.
STATES = {"0": "requesting", "1": "ok", "2": "denied", "3": "notFound", "requestingConfiguration": "requesting",
          "accessDenied": "denied"}
AUTHORISED_SECONDS = 5
UNREACHABLE_SECONDS = 1
LEARNT_SECONDS = 2
CHANGED_SECONDS = 1


def rfc4193(network, node):
    """The address of the RFC 4193 scheme: fd, the network, 9993, the node."""
    return str(ipaddress.ip_address(0xfd << 120 | int(network, 16) << 56 | 0x9993 << 40 | int(node, 16)))


def six_plane(network, node):
    """The address of the 6PLANE scheme: fc, both halves of the network folded, the node, 1."""
    number = int(network, 16)
    return str(ipaddress.ip_address(0xfc << 120 | ((number >> 32 ^ number) & 0xffffffff) << 88 | int(node, 16) << 48 | 1))


def of_pool(node, taken=()):
    """The IPv4 address of the pool of all usable addresses of SUBNET; the pool's last one is for when all are taken."""
    first, last = int(SUBNET[1]), int(SUBNET[-2])
    for trial in range(1000):
        address = first + ((int(node, 16) & 0xffffffff) + trial) % (last - first)
        if address & 0xff != 0xff and address not in taken:
            return str(ipaddress.ip_address(address))
    raise Failure("no address")


class Flow:
    """Datagrams from a node to the echo of another, one after the other, until the block ends. What happened to each."""

    def __init__(self, client, address, patience=200):
        self.client, self.address, self.patience = client, address, patience
        self.results = []
        self.ends = False
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self.ends:
            began = time.monotonic()
            try:
                self.client.call("udp-exchange", address=self.address, port=PORTS[6 if ":" in self.address else 4],
                                 count=1, size=100, timeout=self.patience, tries=1)
                good = True
            except Failure:
                good = False
            self.results.append((began, time.monotonic(), good))
            time.sleep(0.01)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ends = True
        self.thread.join()

    def last_good(self):
        return max((end for _, end, good in self.results if good), default=0)

    def first_good(self, since):
        return min((end for _, end, good in self.results if good and end > since), default=None)

    def lost(self):
        return sum(not good for _, _, good in self.results)

    def count(self):
        return len(self.results)


class Network:
    """A network of a controller, and what a case asks of its members."""

    def __init__(self, controller, **settings):
        self.controller = controller
        self.id = controller.call("network-create", **settings)["network"]

    def change(self, **settings):
        """The moment when the change was acknowledged."""
        self.controller.call("network-set", network=self.id, **settings)
        return time.monotonic()

    def member(self, node, **settings):
        """The same for a member."""
        self.controller.call("member-set", network=self.id, member=node.address, **settings)
        return time.monotonic()

    def status(self, node):
        status = node.call("status", network=self.id)
        # The real library writes IPv6 addresses in capitals.
        for key in ("address4", "address6"):
            if status[key] != "-":
                status[key] = str(ipaddress.ip_address(status[key]))
        return status

    def state(self, node):
        word = self.status(node)["status"]
        return STATES.get(word, word)

    def wait(self, node, state, seconds, since):
        """Waits until a node is in a state; the seconds since a moment."""
        while self.state(node) != state:
            check(time.monotonic() < since + seconds, "%s is %s, and not %s after %.1f s" % (
                node.label, self.state(node), state, seconds))
            time.sleep(0.02)
        return time.monotonic() - since

    def refused(self, node, seconds, since):
        """Waits until a node knows that it is no member, in words for the result."""
        if node.LABEL == real.RealNode.LABEL:
            return "it does not show what it knows"
        return "it knows after %.2f s" % self.wait(node, "denied", seconds, since)

    def admit(self, node, by=None, address=None):
        """Lets a node in and waits until it is configured, and until `by` reaches its address; the seconds it took."""
        since = self.member(node, authorized=1)
        took = self.wait(node, "ok", AUTHORISED_SECONDS, since)
        if by:
            with Flow(by, address) as flow:
                until(lambda: flow.last_good() > since, since + AUTHORISED_SECONDS - time.monotonic(),
                      "%s reaches %s" % (by.label, node.label))
            took = flow.first_good(since) - since
        return took


def start_controlled(runner, network_lab, **kinds):
    """Root, controller and members, each with a direct way to all: the controller, then the members."""
    network_lab.routed("root", "ctl", *kinds)
    network_lab.allow_direct("ctl", *kinds)
    identity = real.new_identity(network_lab)
    planet = real.make_planet(network_lab, network_lab.path("planet"), [(identity, [ROOT_ENDPOINT])])
    nodes = [runner.our_node(network_lab, "root").start(planet, identity=identity),
             runner.our_node(network_lab, "ctl").start(planet, controller=1)]
    nodes += [kind(network_lab, place).start(planet) for place, kind in kinds.items()]
    for node in nodes:
        node.online()
    return nodes[1:]


def reachable(client, address, patience=10):
    """Waits until a node reaches an address."""
    udp(client, address, count=1, size=100, tries=patience)


def check_cut(notes, flow, since, label):
    """What was sent later than a second after the moment came not back, and something did before it."""
    took = flow.last_good() - since
    check(flow.last_good() > 0, "%s: nothing ever came back" % label)
    check(took < UNREACHABLE_SECONDS, "%s: reached for %.1f s more" % (label, took))
    notes.append("%s: the last datagram %.0f ms after" % (label, 1000 * took))


@stage(
    "our controller: nobody is let into a private network unasked",
    "our controller: authorised members are configured within 5 s",
    "our controller: IPv4, RFC 4193 and 6PLANE addresses are those of the formulas",
    "our controller: UDP and TCP over IPv4 and IPv6, real and ours, both ways",
    "our controller: the real node is deauthorised: nobody reaches it after 1 s",
    "our controller: our node is deauthorised: nobody reaches it after 1 s, it knows within 2 s",
    "our controller: both are authorised again, and talk again",
    "our controller: deauthorising the sender stops a transfer, ours to real",
    "our controller: deauthorising the sender stops a transfer, real to ours",
    "our controller: address, route and MTU change within 1 s, without loss between others",
    "our controller: changes of rules and tags act within 1 s, without loss of what stays allowed",
    "our controller: it restarts, and its members are still members",
    "our controller: its network is deleted: nobody reaches anybody, ours know",
)
def our_controller(runner, network_lab):
    controller, theirs, our, other, fourth = start_controlled(
        runner, network_lab, a=real.RealNode, b=runner.our_node, c=real.RealNode, d=runner.our_node)
    members = (theirs, our, other, fourth)
    net = Network(controller, subnet=SUBNET, rfc4193=1)
    with runner.case("our controller: nobody is let into a private network unasked") as notes:
        began = time.monotonic()
        for node in members:
            node.call("join", network=net.id)
        for node in members:
            notes.append("%s: %s" % (node.label, net.refused(node, 10, began)))
        time.sleep(6)  # A refused member asks again every 5 s.
        states = [net.state(node) for node in members]
        check(not set(states) - {"denied", "requesting"}, "states: %r" % states)
        listed = controller.call("members", network=net.id)
        check(listed["authorized"] == "-", "authorised: " + listed["authorized"])
        check(sorted(listed["waiting"].split(",")) == sorted(node.address for node in members),
              "waiting: " + listed["waiting"])
    with runner.case("our controller: authorised members are configured within 5 s") as notes:
        for node in members:
            notes.append("%s %.2f s" % (node.label, net.admit(node)))
    addresses = addresses_of(runner, net, controller, members)
    with runner.case("our controller: UDP and TCP over IPv4 and IPv6, real and ours, both ways") as notes:
        for node in members:
            for family in PORTS:
                node.serve(PORTS[family], family)
        for one, two in ((theirs, our), (our, fourth), (theirs, other), (fourth, other)):
            for family in PORTS:
                reachable(one, addresses[two][family], 30)
                reachable(two, addresses[one][family], 30)
                both_ways_udp(one, addresses[one][family], two, addresses[two][family])
                both_ways_tcp(notes, one, addresses[one][family], two, addresses[two][family], SMALL)
        for node, to in ((our, theirs), (our, other), (fourth, theirs)):
            wait_until_direct(network_lab, node, addresses[to][4])
    for label, out, rest in (("the real node", theirs, (our, other)), ("our node", our, (other, fourth))):
        knows = "" if out is theirs else ", it knows within 2 s"
        with runner.case("our controller: %s is deauthorised: nobody reaches it after 1 s%s" % (label, knows)) as notes:
            deauthorise(notes, net, out, rest, addresses)
    with runner.case("our controller: both are authorised again, and talk again") as notes:
        for node, by in ((theirs, fourth), (our, other)):
            notes.append("%s %.2f s" % (node.label, net.admit(node, by, addresses[node][4])))
        for family in PORTS:
            reachable(theirs, addresses[our][family])
            both_ways_udp(theirs, addresses[theirs][family], our, addresses[our][family])
    for label, sender, receiver in (("ours to real", our, other), ("real to ours", theirs, fourth)):
        with runner.case("our controller: deauthorising the sender stops a transfer, " + label) as notes:
            stop_transfer(notes, network_lab, net, sender, receiver, addresses)
    with runner.case("our controller: address, route and MTU change within 1 s, without loss between others") as notes:
        change_configuration(notes, net, our, fourth, (other, theirs), addresses)
    with runner.case("our controller: changes of rules and tags act within 1 s, without loss of what stays allowed") as notes:
        rules_and_tags(notes, net, theirs, our, other, fourth, addresses)
    with runner.case("our controller: it restarts, and its members are still members") as notes:
        with Flow(fourth, addresses[other][4]) as flow:
            controller = net.controller = controller.restarted()
            notes.append("online after %.1f s" % controller.online())
            listed = controller.call("members", network=net.id)
            check(sorted(listed["authorized"].split(",")) == sorted(node.address for node in members),
                  "authorised: " + listed["authorized"])
            # Right after its start it has not heard of anybody.
            notes.append("one out and in again: " + readmit(net, our, theirs, addresses))
        check([net.state(node) for node in members] == ["ok"] * 4, "somebody is out")
        notes.append("%d of %d datagrams came back" % (flow.count() - flow.lost(), flow.count()))
    with runner.case("our controller: its network is deleted: nobody reaches anybody, ours know") as notes:
        delete(notes, net, members, ((theirs, fourth), (fourth, other), (other, theirs)), addresses)


def addresses_of(runner, net, controller, members):
    """The addresses of all by family, compared with the formulas."""
    with runner.case("our controller: IPv4, RFC 4193 and 6PLANE addresses are those of the formulas") as notes:
        addresses, taken = {}, set()
        for node in members:
            status = until(lambda: (lambda now: now if "-" not in (now["address4"], now["address6"]) else None)(
                net.status(node)), 10, "addresses of both families at " + node.label)
            expected = of_pool(node.address, taken), rfc4193(net.id, node.address)
            check((status["address4"], status["address6"]) == expected,
                  "%s has %s and %s, not %s" % (node.label, status["address4"], status["address6"], expected))
            taken.add(int(ipaddress.ip_address(expected[0])))
            addresses[node] = {4: status["address4"], 6: status["address6"]}
        # The real library takes one IPv6 address of a network: the other scheme has a network of its own.
        plane = Network(controller, **{"6plane": 1})
        for node in members[:2]:
            node.call("join", network=plane.id)
            plane.admit(node)
            status = until(lambda: (lambda now: now if now["address6"] != "-" else None)(plane.status(node)), 10,
                           "a 6PLANE address at " + node.label)
            check(status["address6"] == six_plane(plane.id, node.address), "6PLANE: " + status["address6"])
        for node in members[:2]:
            node.call("leave", network=plane.id)
        controller.call("network-delete", network=plane.id)
        notes.append(", ".join(addresses[node][4] for node in members))
    return addresses


def deauthorise(notes, net, out, rest, addresses):
    """Both of the rest talk to a member and with each other while it is let out."""
    for node in rest:
        reachable(node, addresses[out][4])
    reachable(rest[0], addresses[rest[1]][4])
    with Flow(rest[0], addresses[out][4]) as first, Flow(rest[1], addresses[out][6]) as second, \
            Flow(rest[0], addresses[rest[1]][4], patience=1000) as others:
        time.sleep(1)
        since = net.member(out, authorized=0)
        notes.append(net.refused(out, LEARNT_SECONDS, since))
        time.sleep(3)
    check_cut(notes, first, since, rest[0].label)
    check_cut(notes, second, since, rest[1].label)
    check(others.lost() == 0, "the others lost %d of %d" % (others.lost(), others.count()))


def readmit(net, node, by, addresses):
    """Lets a member out, which is cut off soon, and in."""
    notes = []
    reachable(by, addresses[node][4])
    with Flow(by, addresses[node][4]) as flow:
        time.sleep(0.2)
        since = net.member(node, authorized=0)
        notes.append(net.refused(node, LEARNT_SECONDS, since))
        time.sleep(2)
    check_cut(notes, flow, since, by.label)
    notes.append("in again after %.2f s" % net.admit(node, by, addresses[node][4]))
    return "; ".join(notes)


def stop_transfer(notes, network_lab, net, sender, receiver, addresses):
    """What the sender sends is counted at its link, in windows of half a second."""
    listener = receiver.call("tcp-listen", port=7100, family=4)["socket"]
    accepted = receiver.begin("tcp-accept", socket=listener, timeout=20000)
    socket = sender.connect(addresses[receiver][4], 7100)
    taken = receiver.finish(accepted)["socket"]
    sender.begin("tcp-send", socket=socket, bytes=64 * LARGE, seed=1)
    receiver.begin("tcp-receive", socket=taken, bytes=64 * LARGE, timeout=5000)

    def rate(seconds=0.5):
        before = network_lab.counters(sender.place)[1]
        time.sleep(seconds)
        return (network_lab.counters(sender.place)[1] - before) / seconds
    running = until(lambda: (lambda now: now if now > 100_000 else None)(rate()), 15, "a transfer that runs")
    since = net.member(sender, authorized=0)
    knowledge = net.refused(sender, LEARNT_SECONDS, since)
    time.sleep(max(0, since + UNREACHABLE_SECONDS - time.monotonic()))
    after = rate(2)
    notes.append("%.1f MB/s before, %.1f kB/s after a second" % (running / 1e6, after / 1e3))
    check(after < 20_000, "still %.0f bytes a second" % after)
    notes.append(knowledge)
    # A blocked call of the real library has to end before its socket is closed: theirs are left to their time.
    if sender.LABEL != real.RealNode.LABEL:
        sender.call("shutdown", socket=socket, how=2)
    net.admit(sender, receiver, addresses[sender][4])
    reachable(sender, addresses[receiver][4])


def change_configuration(notes, net, mover, caller, others, addresses):
    """A member gets another address; all get a route and another MTU. Others go on talking."""
    reachable(others[0], addresses[others[1]][4])
    moved = str(SUBNET[-300])
    with Flow(others[0], addresses[others[1]][4], patience=1000) as flow:
        since = net.member(mover, addresses=moved)
        until(lambda: net.status(mover)["address4"] == moved, CHANGED_SECONDS, "the new address")
        notes.append("address after %.0f ms" % (1000 * (time.monotonic() - since)))
        reachable(caller, moved)
        check_unreachable(caller, addresses[mover][4])
        since = net.change(routes="%s,10.99.0.0/16@%s" % (SUBNET, moved), mtu=1400)
        for node in (mover, caller, *others):
            # The gateway itself needs no route to itself.
            until(lambda: net.status(node)["mtu"] == "1400"
                  and ("10.99.0.0" in net.status(node)["routes"]) == (node is not mover),
                  max(0, since + CHANGED_SECONDS - time.monotonic()), "MTU and route at " + node.label)
        notes.append("MTU and route after %.0f ms" % (1000 * (time.monotonic() - since)))
    check(flow.lost() == 0, "the others lost %d of %d" % (flow.lost(), flow.count()))
    addresses[mover][4] = moved
    tcp(caller, moved, SMALL)


def acts_again(notes, flow, since, label):
    until(lambda: flow.last_good() > since, max(0, since + CHANGED_SECONDS - time.monotonic()), label)
    notes.append("%s after %.0f ms" % (label, 1000 * (flow.first_good(since) - since)))


def rules_and_tags(notes, net, theirs, our, other, fourth, addresses):
    """The echoes have port 7004 over IPv4 and 7006 over IPv6."""
    reachable(our, addresses[other][4])
    reachable(theirs, addresses[fourth][4])
    reachable(theirs, addresses[fourth][6])
    with Flow(our, addresses[other][4], patience=1000) as allowed:
        with Flow(theirs, addresses[fourth][6]) as flow:
            time.sleep(0.5)
            since = net.change(rules="drop_ipprotocol_udp_and_dport_7006;_accept;")
            time.sleep(2)
        check_cut(notes, flow, since, "a rule")
        with Flow(theirs, addresses[fourth][6]) as flow:
            since = net.change(rules="tag_department_id_1_default_0;_drop_not_tdiff_department_0;_accept;")
            acts_again(notes, flow, since, "without it again")
        with Flow(theirs, addresses[fourth][4]) as flow:
            time.sleep(0.5)
            since = net.member(fourth, tags="1:5")
            time.sleep(2)
            check_cut(notes, flow, since, "a tag")
            since = net.member(theirs, tags="1:5")
            acts_again(notes, flow, since, "both with it again")
        net.change(rules="accept;")
    check(allowed.lost() == 0, "what stays allowed lost %d of %d" % (allowed.lost(), allowed.count()))
    notes.append("%d datagrams of what stays allowed, all came back" % allowed.count())


def check_unreachable(client, address):
    try:
        client.call("udp-exchange", address=address, port=PORTS[4], count=1, size=100, timeout=500, tries=2)
    except Failure:
        return
    raise Failure("%s still reaches %s" % (client.label, address))


def delete(notes, net, members, pairs, addresses):
    for client, to in pairs:
        reachable(client, addresses[to][4])
    flows = [Flow(client, addresses[to][4]) for client, to in pairs]
    for flow in flows:
        flow.__enter__()
    time.sleep(0.5)
    net.controller.call("network-delete", network=net.id)
    since = time.monotonic()
    ours = [node for node in members if node.LABEL != real.RealNode.LABEL]
    notes.append("ours know after %.2f s" % max(net.wait(node, "notFound", LEARNT_SECONDS, since) for node in ours))
    time.sleep(2)
    for flow in flows:
        flow.__exit__()
    for flow in flows:
        check_cut(notes, flow, since, flow.client.label)
