"""Network namespaces, links and child processes for the interoperability cases.

The runner first puts itself into namespaces of its own (network, mount, process; user too when it is not root), so
nothing of it is visible outside, nothing has to be cleaned up, and killing it ends every node it started.

The runner's own network namespace is the hub. Two shapes of network hang on it:

    routed(place, ...)  every place has a /24 of its own (10.77.N.2, the hub is 10.77.N.1) and a route to the root's
                        /24 only: two leaves can then reach each other through the root alone. allow_direct() adds
                        the route between leaves, forbid_direct() takes it away.
    bridged(place, ...) all places in 10.77.0.0/24 on one bridge.

No link has a lossy or slow queue; everything is veth.
"""

import ctypes
import json
import os
import queue
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

INSIDE = "INTEROP_INSIDE_NAMESPACE"
NETNS = "/run/netns/"
ALL = "10.77.0.0/16"
NAT_ADDRESS = "10.77.200.1"
CLONE_NEWNET = 0x40000000


class Failure(Exception):
    """A case did not hold."""


def check(condition, text):
    if not condition:
        raise Failure(text)


def shell(*arguments, quiet=False):
    result = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode != 0 and not quiet:
        raise Failure(" ".join(arguments) + ": " + result.stdout.strip())
    return result.stdout


def enter_namespaces():
    """Runs this program again inside namespaces of its own. Returns only there; None or the reason why it cannot."""
    if os.environ.get(INSIDE):
        shell("mount", "-t", "tmpfs", "tmpfs", "/run")
        if os.getpid() == 1:
            # Swift's runtime looks its threads up in /proc by number, and ends the process when it finds none.
            shell("mount", "-t", "proc", "proc", "/proc")
        os.makedirs(NETNS, exist_ok=True)
        shell("ip", "link", "set", "lo", "up")
        return None
    command = ["unshare", "--net", "--mount", "--fork", "--kill-child"]
    if os.geteuid() != 0:
        command += ["--user", "--map-root-user"]
    # Some containers refuse the mount of /proc: no process namespace then. The nodes end with their standard input.
    mounts = "mount -t tmpfs tmpfs /run && mkdir /run/netns && ip netns add a"
    for command, script in ((command + ["--pid"], mounts + " && mount -t proc proc /proc"), (command, mounts)):
        try:
            trial = subprocess.run([*command, "sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   text=True)
        except OSError as error:
            return "unshare: %s" % error
        if trial.returncode == 0:
            break
    else:
        return "no namespaces: " + trial.stdout.strip()
    child = subprocess.Popen([*command, sys.executable, *sys.argv], env=dict(os.environ, **{INSIDE: "1"}))
    while True:
        try:
            sys.exit(child.wait())
        except KeyboardInterrupt:
            child.terminate()


def _write(path, text):
    with open(path, "w") as file:
        file.write(text)


def without_nat():
    """Why there can be no NAT here; None if there can."""
    return None if shutil.which("nft") else "no nft"


class Place:
    """One network namespace with one link."""

    def __init__(self, name, address, gateway=None):
        self.name = name
        self.address = address
        self.gateway = gateway


class Lab:
    """The network and the processes of one stage. Use as a context manager."""

    def __init__(self):
        self.places = {}
        self.processes = []
        self.directory = None
        self.has_nat = False

    def __enter__(self):
        self._temporary = tempfile.TemporaryDirectory(prefix="interop-")
        self.directory = self._temporary.name
        return self

    def __exit__(self, *_):
        for process in list(self.processes):
            process.kill()
        for place in self.places:
            shell("ip", "netns", "del", place, quiet=True)
            shell("ip", "link", "del", "h-" + place, quiet=True)
        shell("ip", "link", "del", "lan", quiet=True)
        if self.has_nat:
            shell("nft", "flush", "ruleset", quiet=True)
            shell("ip", "address", "del", NAT_ADDRESS + "/32", "dev", "lo", quiet=True)
        self._temporary.cleanup()

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    # ---- networks ----

    def _add(self, name, address, gateway):
        link = "h-" + name
        shell("ip", "netns", "add", name)
        shell("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name)
        for setting in ("all", "default", "eth0"):
            self._set(name, "net/ipv6/conf/%s/accept_dad" % setting, "0")
        shell("ip", "-n", name, "address", "add", address + "/24", "dev", "eth0")
        shell("ip", "-n", name, "link", "set", "lo", "up")
        shell("ip", "-n", name, "link", "set", "eth0", "up")
        shell("ip", "link", "set", link, "up")
        self.places[name] = Place(name, address, gateway)

    def _set(self, name, key, value):
        # A thread of our own enters the namespace: /proc/sys/net is that of the thread that opens it.
        def work():
            with open(NETNS + name) as file:
                if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET) == 0:
                    _write("/proc/sys/" + key, value)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    def routed(self, *names, root="root"):
        """The first name gets 10.77.1.2, the next 10.77.2.2, ...; `root` names the place all may reach."""
        _write("/proc/sys/net/ipv4/ip_forward", "1")
        for number, name in enumerate(names, start=1):
            gateway = "10.77.%d.1" % number
            self._add(name, "10.77.%d.2" % number, gateway)
            shell("ip", "address", "add", gateway + "/24", "dev", "h-" + name)
        for name in names:
            to = ALL if name == root else self.places[root].address + "/32"
            shell("ip", "-n", name, "route", "add", to, "via", self.places[name].gateway)

    def bridged(self, *names):
        shell("ip", "link", "add", "lan", "type", "bridge", "forward_delay", "0")
        shell("ip", "link", "set", "lan", "up")
        for number, name in enumerate(names, start=1):
            self._add(name, "10.77.0.%d" % (number + 10), None)
            shell("ip", "link", "set", "h-" + name, "master", "lan")

    def allow_direct(self, *names):
        for name in names:
            shell("ip", "-n", name, "route", "add", ALL, "via", self.places[name].gateway)

    def forbid_direct(self, *names):
        for name in names:
            shell("ip", "-n", name, "route", "del", ALL)

    def behind_nat(self, *names):
        """Puts places of a routed network behind the hub, which sends what they send from its own address."""
        self.has_nat = True
        shell("ip", "address", "add", NAT_ADDRESS + "/32", "dev", "lo")
        shell("nft", "add table ip nat; add chain ip nat post { type nat hook postrouting priority 100; }")
        for name in names:
            shell("nft", "add rule ip nat post ip saddr %s snat to %s" % (self.places[name].address, NAT_ADDRESS))

    def move(self, name, host):
        """Gives a place of a routed network, which may reach all, another address in place of the one it has."""
        place = self.places[name]
        shell("ip", "-n", name, "address", "del", place.address + "/24", "dev", "eth0")
        place.address = place.address.rpartition(".")[0] + ".%d" % host
        shell("ip", "-n", name, "address", "add", place.address + "/24", "dev", "eth0")
        shell("ip", "-n", name, "route", "add", ALL, "via", place.gateway)

    def counters(self, name):
        """(packets sent, bytes sent, packets received, bytes received) by the place, as the hub's end saw them."""
        stats = json.loads(shell("ip", "-s", "-j", "link", "show", "dev", "h-" + name))[0]["stats64"]
        return tuple(stats[way][what] for way in ("rx", "tx") for what in ("packets", "bytes"))


class Tap:
    """Counts, on the hub's end of a place's link, the UDP datagrams that a small filter in the kernel lets through.

    The link's offloads are on: a burst that a sender hands over as one large packet counts as one.
    """

    IP, UDP_PAYLOAD = 14, 14 + 20 + 8

    def __init__(self, place, conditions):
        """conditions: (size in bytes, offset, mask, value, wanted); a packet counts when each field is the value
        (wanted) or is not (not wanted)."""
        code = []
        every = [(2, 12, 0xFFFF, 0x0800, True), (1, self.IP + 9, 0xFF, 17, True), *conditions]
        for size, offset, mask, value, wanted in every:
            code.append((0x20 | {1: 0x10, 2: 0x08, 4: 0x00}[size], 0, 0, offset))  # load the field
            code.append((0x54, 0, 0, mask))  # and
            code.append((0x15, 1, 0, value) if wanted else (0x15, 0, 1, value))  # skip the next line when it holds
            code.append((0x06, 0, 0, 0))  # drop
        code.append((0x06, 0, 0, 64))  # count
        program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, 26, struct.pack("HxxxxxxP", len(code), ctypes.addressof(program)))
        self.socket.bind(("h-" + place, 3))
        self.total = 0

    def count(self):
        # PACKET_STATISTICS starts again from zero at every reading. Nobody reads the packets: most are "dropped",
        # which the first number includes.
        self.total += struct.unpack("II", self.socket.getsockopt(263, 6, 8))[0]
        return self.total

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def direct_packets(network_lab, place, root="root"):
    """Datagrams to or from the place whose other end is not the root."""
    root_address = struct.unpack(">I", socket.inet_aton(network_lab.places[root].address))[0]
    return Tap(place, [(4, Tap.IP + 12, 0xFFFFFFFF, root_address, False),
                       (4, Tap.IP + 16, 0xFFFFFFFF, root_address, False)])


def packets_from(network_lab, place, source):
    """Datagrams on the link of a place that come from the address of another."""
    address = struct.unpack(">I", socket.inet_aton(network_lab.places[source].address))[0]
    return Tap(place, [(4, Tap.IP + 12, 0xFFFFFFFF, address, True)])


def suite_packets(place, suite):
    """Packets (no later fragments) to or from the place whose header names the cipher suite (wire: byte 18)."""
    return Tap(place, [(1, Tap.UDP_PAYLOAD + 13, 0xFF, 0xFF, False),
                       (1, Tap.UDP_PAYLOAD + 18, 0x38, suite << 3, True)])


class LineProcess:
    """A child process that answers tagged lines (see Host/libzt_host.c)."""

    def __init__(self, network_lab, place, arguments, label):
        self.lab = network_lab
        self.label = label
        self.log = open(network_lab.path(label.replace("@", "-") + ".log"), "a")
        enter = ["nsenter", "--net=" + NETNS + place, "--"] if place else []
        self.process = subprocess.Popen([*enter, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.log, text=True, bufsize=1, cwd=network_lab.directory)
        self.waiting = {}
        self.count = 0
        self.lock = threading.Lock()
        network_lab.processes.append(self)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            tag, _, rest = line.strip().partition(" ")
            box = self.waiting.pop(tag, None)
            if box:
                box.put(rest)
        code = self.process.wait()
        with self.lock:
            left, self.waiting = self.waiting, None
        for box in left.values():
            box.put("error what=exited code=%d" % code)

    def begin(self, command, **arguments):
        """Starts a command; give the result to finish()."""
        box = queue.Queue()
        with self.lock:
            if self.waiting is None:
                raise Failure("%s: exited with %s" % (self.label, self.process.poll()))
            self.count += 1
            tag = str(self.count)
            self.waiting[tag] = box
        words = [tag, command] + ["%s=%s" % (key, value) for key, value in arguments.items() if value is not None]
        try:
            self.process.stdin.write(" ".join(words) + "\n")
            self.process.stdin.flush()
        except OSError:
            raise Failure("%s: exited" % self.label) from None
        return command, box

    def finish(self, pending, limit=60):
        command, box = pending
        try:
            answer = box.get(timeout=limit)
        except queue.Empty:
            raise Failure("%s: %s: no answer in %d s" % (self.label, command, limit)) from None
        state, _, rest = answer.partition(" ")
        if state != "ok":
            raise Failure("%s: %s: %s" % (self.label, command, rest))
        return dict(word.partition("=")[::2] for word in rest.split())

    def call(self, command, limit=60, **arguments):
        return self.finish(self.begin(command, **arguments), limit)

    def kill(self):
        if self in self.lab.processes:
            self.lab.processes.remove(self)
        self.process.kill()
        self.process.wait()
        self.log.close()


def until(condition, seconds, text):
    """Waits until condition() is true; its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure("not within %d s: %s" % (seconds, text))
        time.sleep(0.05)
