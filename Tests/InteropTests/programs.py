"""Stages of the C library's example programs (Examples/): with each other and with the real library, in both roles.

The programs are linked with our libzt.so (`make host_release`). Every case compares what arrived with what was sent, or
what a program says with what the other side knows.
"""

import ipaddress
import os
import re
import shutil
import subprocess
import sys
import threading
import time

import lab
import real
from cases import IPV4, PORTS, start
from interop import stage
from lab import check, until

PLATFORM = "linux-" + os.uname().machine
PROGRAMS = os.path.join(real.REPOSITORY, "bin", "release", PLATFORM)
LIBRARY = os.path.join(real.REPOSITORY, "lib", "release", PLATFORM)
# Addresses of the ad-hoc network that gives both families.
ADDRESS4 = r"address (28\.\d+\.\d+\.\d+)"
ADDRESS6 = r"address (fcff:1c00:\S+)"
# The network of ports 7000 to 7999.
SOME_PORTS = "ff1b581f3f000000"
LINE = "a line for the server"
KILOBYTE = 1 << 10


def missing():
    """Why the stages of this file cannot run, or None."""
    for path in (os.path.join(LIBRARY, "libzt.so"), os.path.join(PROGRAMS, "statistics2")):
        if not os.path.exists(path):
            return "no %s: make host_release" % os.path.relpath(path, real.REPOSITORY)
    return None


class Program:
    """One run of a program at a place, in a directory of its own. Its output is kept in `lines`.

    name: a program of bin/, or the path of another one. Among the arguments, HOME stands for a state directory that
    knows the planet, PLANET for the planet's file."""

    count = 0

    def __init__(self, bench, place, name, *arguments, home=None):
        Program.count += 1
        self.label = "%s@%s" % (os.path.basename(name), place)
        self.lab = bench.lab
        self.directory = bench.lab.path("program-%d" % Program.count)
        self.home = os.path.join(self.directory, "home") if home is None else home
        os.makedirs(self.directory)
        if "HOME" in arguments:
            os.makedirs(self.home, exist_ok=True)
            shutil.copy(bench.planet, os.path.join(self.home, "planet"))
        command = [name if os.path.isabs(name) else os.path.join(PROGRAMS, name)]
        if name.endswith(".py"):
            command.insert(0, sys.executable)
        values = {"HOME": self.home, "PLANET": bench.planet}
        command += [values.get(argument, str(argument)) for argument in arguments]
        self.lines = []
        self.changed = threading.Condition()
        self.ended = False
        self.process = subprocess.Popen(
            ["nsenter", "--net=" + lab.NETNS + place, "--", *command], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", cwd=self.directory)
        bench.lab.processes.append(self)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def text(self):
        with self.changed:
            return "\n".join(self.lines)

    def matches(self, pattern):
        """Of every line that matches, what the pattern's group holds."""
        return re.findall("(?m)^" + pattern + "$", self.text())

    def line(self, pattern, seconds=60, count=1):
        """Waits until `count` lines match; what the pattern's group holds in the last of them."""
        end = time.monotonic() + seconds
        while True:
            with self.changed:
                found = re.findall("(?m)^" + pattern + "$", "\n".join(self.lines))
                if len(found) >= count:
                    return found[-1]
                left = end - time.monotonic()
                if self.ended or left <= 0:
                    break
                self.changed.wait(left)
        raise lab.Failure("%s: %s without %r" % (
            self.label, "ended" if self.ended else "%d s" % seconds, pattern))

    def finish(self, seconds=60):
        """Waits for its end, which must be a good one."""
        try:
            code = self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise lab.Failure("%s: still running after %d s" % (self.label, seconds)) from None
        until(lambda: self.ended, 10, "the end of the output")
        check(code == 0, "%s: exit code %d" % (self.label, code))
        self.kill()

    def counters(self):
        """For the explanation of a failure: what it wrote last."""
        return " | ".join(self.text().splitlines()[-12:])

    def kill(self):
        if self in self.lab.processes:
            self.lab.processes.remove(self)
        self.process.kill()
        self.process.wait()
        with open(self.lab.path(self.label.replace("@", "-") + ".log"), "a") as file:
            file.write(self.text() + "\n")


class Bench:
    """A root, a real node at place a, a node of ours at place d that pings, and places b and c for the programs. All
    may reach each other directly. The real node joins one network only: with several, it sends all IPv6 into one."""

    def __init__(self, runner, network_lab):
        self.lab = network_lab
        network_lab.routed("root", "a", "b", "c", "d")
        network_lab.allow_direct("a", "b", "c", "d")
        self.root, self.theirs, self.ours = start(
            network_lab, root=runner.our_node, a=real.RealNode, d=runner.our_node)
        self.planet = network_lab.path("planet")

    def run(self, place, name, *arguments, **options):
        return Program(self, place, name, *arguments, **options)

    def ping(self, address, count=3):
        for _ in range(count):
            self.ours.call("ping", limit=65, address=address, timeout=60000)

    def real_connects(self, address, port):
        """The real node connects. It cannot over IPv6 in the first seconds after it joined, and says so at once."""
        end = time.monotonic() + 20
        while True:
            try:
                return self.theirs.connect(address, port)
            except lab.Failure as failure:
                if "code=113" not in str(failure) or time.monotonic() > end:
                    raise
                time.sleep(0.2)

    def real_exchanges(self, address, port, size):
        """The real node sends that many bytes to an echo and compares what comes back; Mbit/s."""
        socket = self.real_connects(address, port)
        result = self.theirs.call("tcp-exchange", limit=60, socket=socket, bytes=size, timeout=60000)
        self.theirs.call("close", socket=socket)
        check(int(result["bytes"]) == size, "%s bytes came back" % result["bytes"])
        return float(result["mbit"])

    def refused(self, address, port):
        """The real node connects to a port where nobody listens: the answer is a reset."""
        try:
            self.real_connects(address, port)
        except lab.Failure as failure:
            check("code=104" in str(failure), str(failure))
        else:
            raise lab.Failure("port %d took a connection" % port)


def check_line_came_back(client):
    """The line that client.cpp or client.c sent is what it received."""
    client.finish()
    sent, received = (client.matches(word + " 22 bytes: (.*)") for word in ("sent", "received"))
    check(sent == [LINE] and received == sent, "sent %r, received %r" % (sent, received))


def check_clients(server, *addresses):
    """The server had connections from these addresses, in this order."""
    had = [ipaddress.ip_address(text) for text in server.matches(r"client (\S+), port \d+")]
    check(had == [ipaddress.ip_address(text) for text in addresses], "clients %s, not %s" % (had, addresses))


def check_same_lines(client, count=12, seconds=60):
    """nonblockingclient.c: at least `count` lines came back, and all that came back are the ones sent, in order."""
    def echoed():
        words = client.text().split("\n")
        return [word for word in words if re.fullmatch(r"line \d+", word)]
    until(lambda: len(echoed()) >= count, seconds, "%d lines back" % count)
    sent = client.matches("sent: (.*)")
    client.kill()
    back = echoed()
    check(sent[:count] == ["line %d" % (index + 1) for index in range(count)], "sent %r" % sent[:count])
    check(back == ["line %d" % (index + 1) for index in range(len(back))], "received %r" % back)


@stage(
    "first generation: our client and our server, 22 bytes there and back",
    "first generation: the real node connects to our server",
    "first generation: our client connects to the real node",
    "first generation: our server on IPv6, the real node connects",
    "first generation: adhoc can be pinged",
    "first generation: comprehensive tells of root, node, network and traffic",
    library=True,
)
def first_generation(runner, network_lab):
    bench = Bench(runner, network_lab)
    theirs = bench.theirs
    real4, real6 = theirs.join(IPV4, 4), theirs.join(IPV4, 6)
    theirs.serve(PORTS[4], 4)
    server = bench.run("b", "server", "HOME", IPV4, 4, 7010)
    client_home = network_lab.path("client-home")
    with runner.case("first generation: our client and our server, 22 bytes there and back"):
        server.line("listening on port 7010")
        address = server.line(ADDRESS4 + " on network " + IPV4)
        client = bench.run("c", "client", "HOME", IPV4, address, 7010, home=client_home)
        check_line_came_back(client)
        client_address = client.matches(ADDRESS4 + " on network " + IPV4)
        server.line("echoed 22 bytes")
        check_clients(server, *client_address)
    with runner.case("first generation: the real node connects to our server"):
        address = server.line(ADDRESS4 + " on network " + IPV4)
        for size in (1, 100, 1000):
            bench.real_exchanges(address, 7010, size)
            server.line("echoed %d bytes" % size)
        check_clients(server, *client_address, real4, real4, real4)
    with runner.case("first generation: our client connects to the real node"):
        check_line_came_back(bench.run("c", "client", "HOME", IPV4, real4, PORTS[4], home=client_home))
    server.kill()
    with runner.case("first generation: our server on IPv6, the real node connects"):
        server = bench.run("b", "server", "HOME", IPV4, 6, 7011)
        server.line("listening on port 7011")
        bench.real_exchanges(server.line(ADDRESS6 + " on network " + IPV4), 7011, 1000)
        server.line("echoed 1000 bytes")
        check_clients(server, real6)
    server.kill()
    with runner.case("first generation: adhoc can be pinged"):
        adhoc = bench.run("c", "adhoc", "HOME", 7000, 7999, 0)
        bench.ours.join(SOME_PORTS)
        bench.ping(adhoc.line(r"address (\S+) on network " + SOME_PORTS))
        adhoc.line("ping this node at the address above, on network " + SOME_PORTS)
        check(not os.path.exists(os.path.join(adhoc.home, "networks.d", SOME_PORTS + ".conf")), "the network was kept")
        adhoc.kill()
    with runner.case("first generation: comprehensive tells of root, node, network and traffic") as notes:
        comprehensive = bench.run("b", "comprehensive", "HOME", IPV4, 0)
        node = comprehensive.line("online as ([0-9a-f]{10})")
        address = comprehensive.line(ADDRESS4 + " on network " + IPV4)
        comprehensive.line("node " + node)
        comprehensive.line(r"peer %s: version \d+\.\d+\.\d+, \d+ ms, 1 paths, direct, role 2" % bench.root.address)
        comprehensive.line(r"  path 10\.77\.1\.2, port 9993")
        comprehensive.line("peer abcdef1234: .*result.*")
        comprehensive.line(r"mtu 2800, 2 addresses, \d+ routes")
        comprehensive.line("node status 2, network status 39")
        bench.ours.join(IPV4, 4)
        bench.ping(address)
        bench.refused(address, 7012)
        counters = {}
        for protocol, least in (("icmp", 3), ("tcp", 1)):
            pattern = protocol + r" (\d+) in, (\d+) out, \d+ dropped, \d+ errors"
            until(lambda: all(int(number) >= least for number in comprehensive.matches(pattern)[-1]), 10,
                  "%s counters" % protocol)
            counters[protocol] = "%s in, %s out" % comprehensive.matches(pattern)[-1]
        notes.append(", ".join("%s %s" % item for item in counters.items()))
        comprehensive.kill()


@stage(
    "second generation: our client and our server, 22 bytes there and back",
    "second generation: the real node connects to our server, 1 MB there and back",
    "second generation: our client connects to the real node, IPv6 and IPv4",
    "second generation: nonblockingserver with fcntl, 256 kB from the real node and back",
    "second generation: nonblockingserver with select, 256 kB from the real node and back",
    "second generation: nonblockingserver with poll, 256 kB from the real node and back",
    "second generation: nonblockingclient and the real node",
    "second generation: nonblockingclient and our nonblockingserver",
    "second generation: poll serves the real node and ours at once",
    "second generation, looked up by name (ctypes): an echo by the real node",
    library=True,
)
def second_generation(runner, network_lab):
    bench = Bench(runner, network_lab)
    theirs = bench.theirs
    real_addresses = {family: theirs.join(IPV4, family) for family in (6, 4)}
    for family in real_addresses:
        theirs.serve(PORTS[family], family)
    server_home = network_lab.path("server-home")
    with runner.case("second generation: our client and our server, 22 bytes there and back"):
        server = bench.run("b", "server2", "HOME", IPV4, "::", 7010, home=server_home)
        server.line("waiting for a client on port 7010")
        client = bench.run("c", "client2", "HOME", IPV4, server.line(ADDRESS6), 7010)
        check_line_came_back(client)
        server.finish()
        check_clients(server, *client.matches(ADDRESS6))
        check(server.matches(r"echoed (\d+) bytes") == ["22"], "not 22 bytes")
    with runner.case("second generation: the real node connects to our server, 1 MB there and back") as notes:
        # The same node as before: its address is known, and it binds that one.
        address = server.line(ADDRESS6)
        server = bench.run("b", "server2", "HOME", IPV4, address, 7011, home=server_home)
        server.line("waiting for a client on port 7011")
        check(server.line(ADDRESS6) == address, "another address after the restart")
        notes.append("%.0f Mbit/s" % bench.real_exchanges(address, 7011, KILOBYTE * KILOBYTE))
        server.finish()
        check_clients(server, real_addresses[6])
        check(server.matches(r"echoed (\d+) bytes") == [str(KILOBYTE * KILOBYTE)], "not all bytes")
    with runner.case("second generation: our client connects to the real node, IPv6 and IPv4"):
        clients = [bench.run("c", "client2", "HOME", IPV4, real_addresses[family], PORTS[family])
                   for family in (6, 4)]
        for client in clients:
            check_line_came_back(client)
    servers = {}
    for port, technique in enumerate(("fcntl", "select", "poll"), start=7020):
        local = "0.0.0.0" if technique == "select" else "::"
        servers[technique] = bench.run("b", "nonblockingserver2", "HOME", IPV4, local, port, technique)
    for technique, server in servers.items():
        name = "second generation: nonblockingserver with %s, 256 kB from the real node and back"
        with runner.case(name % technique):
            port = server.line(r"listening on port (\d+), waiting with " + technique)
            address = server.line(ADDRESS4 if technique == "select" else ADDRESS6)
            bench.real_exchanges(address, port, 256 * KILOBYTE)
            server.line("echoed %d bytes" % (256 * KILOBYTE))
    with runner.case("second generation: nonblockingclient and the real node"):
        check_same_lines(bench.run("c", "nonblockingclient2", "HOME", IPV4, real_addresses[6], PORTS[6]))
    with runner.case("second generation: nonblockingclient and our nonblockingserver"):
        address = servers["poll"].line(ADDRESS6)
        check_same_lines(bench.run("c", "nonblockingclient2", "HOME", IPV4, address, 7022))
    for server in servers.values():
        server.kill()
    with runner.case("second generation: poll serves the real node and ours at once"):
        bench.ours.join(IPV4)
        server = bench.run("b", "poll2", "HOME", IPV4, 7030)
        server.line("listening on port 7030")
        address = server.line(ADDRESS6)
        clients = [(theirs, bench.real_connects(address, 7030)), (bench.ours, bench.ours.connect(address, 7030))]
        server.line("2 clients")
        begun = [(node, node.begin("tcp-exchange", socket=socket, bytes=256 * KILOBYTE, seed=number, timeout=60000))
                 for number, (node, socket) in enumerate(clients, start=1)]
        for node, exchange in begun:
            check(int(node.finish(exchange)["bytes"]) == 256 * KILOBYTE, "not all bytes came back")
        server.kill()
    with runner.case("second generation, looked up by name (ctypes): an echo by the real node"):
        script = os.path.join(real.REPOSITORY, "Tests", "InteropTests", "ctypes_echo.py")
        library = os.path.join(LIBRARY, "zt18", "libzt.so")
        program = bench.run("c", script, library, "HOME", IPV4, real_addresses[6], PORTS[6])
        program.finish()
        check(program.matches("echoed (.*)") == ["4096 bytes"], "not what was sent")


@stage(
    "second generation: adhoc can be pinged",
    "second generation: pingable-node can be pinged over IPv4",
    "second generation: callbackapi tells the events and can be pinged",
    "second generation: statistics counts pings and refused connections",
    "second generation: nostorage is the same node again, from memory, and leaves no file",
    "second generation: customroots finds the root of the planet it signed",
    library=True,
)
def without_storage(runner, network_lab):
    bench = Bench(runner, network_lab)
    adhoc = bench.run("b", "adhoc2", 7000, 7999, "PLANET")
    pingable = bench.run("b", "pingable-node2", IPV4, "PLANET")
    callbackapi = bench.run("c", "callbackapi2", SOME_PORTS, "PLANET")
    statistics = bench.run("c", "statistics2", IPV4, "PLANET")
    nostorage = bench.run("b", "nostorage2", "PLANET")
    with open(os.path.join(bench.root.home, "identity.public")) as file:
        root_identity = file.read().strip()
    customroots = bench.run("c", "customroots2", root_identity, "10.77.1.2/9993", "fd00:77::2/9993")
    bench.ours.join(SOME_PORTS)
    bench.ours.join(IPV4, 4)
    bench.theirs.join(IPV4, 4)
    with runner.case("second generation: adhoc can be pinged"):
        node = adhoc.line("online as ([0-9a-f]{10})")
        check(adhoc.line("public identity (.*)").startswith(node + ":0:"), "another identity")
        address = adhoc.line(r"ping this node at (\S+), on network " + SOME_PORTS)
        check(address in adhoc.matches(r"address (\S+)"), "the address is not the one it has")
        bench.ping(address)
        adhoc.kill()
    with runner.case("second generation: pingable-node can be pinged over IPv4"):
        bench.ping(pingable.line(r"ping this node at (\d+\.\d+\.\d+\.\d+)"))
        pingable.kill()
    with runner.case("second generation: callbackapi tells the events and can be pinged"):
        node = callbackapi.line("online as ([0-9a-f]{10})")
        address = callbackapi.line(r"address (\S+)")
        callbackapi.line("event: online as " + node)
        callbackapi.line("event: network %s is ready for IPv6" % SOME_PORTS)
        check(callbackapi.line(r"event: address (\S+)") == address, "another address in the event")
        bench.ping(address)
        callbackapi.kill()
    with runner.case("second generation: statistics counts pings and refused connections") as notes:
        address = statistics.line(ADDRESS4)
        bench.ping(address)
        bench.refused(address, 7012)
        counted = {}
        for protocol, least in (("link", 4), ("ip4", 4), ("icmp4", 3), ("tcp", 1), ("etharp", 1)):
            pattern = protocol + r" +sent (\d+) received (\d+) dropped \d+ errors \d+"
            until(lambda: statistics.matches(pattern) and all(
                int(number) >= least for number in statistics.matches(pattern)[-1]), 10, protocol + " counters")
            counted[protocol] = "%s/%s" % statistics.matches(pattern)[-1]
        notes.append("sent/received: " + ", ".join("%s %s" % item for item in counted.items()))
        check(len(statistics.matches(r"udp +sent .*")) >= 1 and len(statistics.matches("--")) >= 1, "a block lacks")
        statistics.kill()
    with runner.case("second generation: nostorage is the same node again, from memory, and leaves no file"):
        nostorage.finish()
        nodes = nostorage.matches("online as ([0-9a-f]{10})")
        check(len(nodes) == 2 and nodes[0] == nodes[1], "nodes %r" % nodes)
        check(nostorage.line("public identity (.*)").startswith(nodes[0] + ":0:"), "another identity")
        nostorage.line("the same node again")
        check(os.listdir(nostorage.directory) == [], "files were made")
    with runner.case("second generation: customroots finds the root of the planet it signed"):
        customroots.line("online as ([0-9a-f]{10})")
        customroots.line("root %s, [1-9] paths" % bench.root.address)
        check(int(customroots.line(r"planet of (\d+) bytes, keys of 128 and 128 bytes")) > 200, "no planet")
        customroots.kill()
