"""The real libzt 1.8.4 as a test peer: fetches the published wheel, mends it, builds the host program, drives it.

Nothing of the library is kept in the repository: the wheel is downloaded into .build-interop/ at the repository's
root (which git ignores) and checked against its digest.
"""

import hashlib
import os
import re
import subprocess
import sys
import zipfile

import lab

WHEEL = "libzt-1.8.4-cp39-cp39-manylinux2010_x86_64.whl"
WHEEL_SHA256 = "e66e1482940118ae172d7356d2c5d2d5c561831c94d595a850704f9923054756"
LIBRARY_IN_WHEEL = "libzt/_libzt.cpython-39-x86_64-linux-gnu.so"
REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SOURCES = os.path.join(REPOSITORY, "Tests", "InteropTests", "Host")
CACHE = os.environ.get("INTEROP_CACHE", os.path.join(REPOSITORY, ".build-interop"))
HOST = os.path.join(CACHE, "libzt-host")
COMPILER_FLAGS = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror"]


class Unavailable(Exception):
    """The real library cannot be had or built on this machine: the cases are skipped."""


def _run(arguments, what):
    result = subprocess.run(arguments, cwd=CACHE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode != 0:
        raise Unavailable(what + ": " + (result.stdout.strip().splitlines() or ["failed"])[-1])
    return result.stdout


def fetch(wheel, digest, package, *options):
    """The path of a wheel of PyPI, downloaded if it is not there."""
    os.makedirs(CACHE, exist_ok=True)
    path = os.path.join(CACHE, wheel)
    if not os.path.exists(path):
        _run([sys.executable, "-m", "pip", "download", "--quiet", package, "--no-deps", "--only-binary=:all:", *options,
              "--dest", CACHE], "pip download")
    with open(path, "rb") as file:
        if hashlib.sha256(file.read()).hexdigest() != digest:
            raise Unavailable("the digest of %s is not the expected one" % wheel)
    return path


def _missing_symbols(library):
    """One macro call for each undefined symbol that no system library has."""
    lines = []
    for line in _run(["nm", "-D", "--undefined-only", library], "nm").splitlines():
        name = line.split()[-1]
        if re.match(r"_?Py|_ZN8ZeroTier12LinuxNetLink", name):
            data = re.match(r"PyExc_|.*_Type$|.*Struct$", name)
            lines.append("MISSING_%s(%s)\n" % ("DATA" if data else "FUNCTION", name))
    return "".join(lines)


def build():
    """Leaves HOST up to date, or raises Unavailable."""
    if os.uname().sysname != "Linux" or os.uname().machine != "x86_64":
        raise Unavailable("the published library is for Linux on x86-64")
    inputs = [os.path.join(SOURCES, name) for name in sorted(os.listdir(SOURCES))] + [os.path.abspath(__file__)]
    if os.path.exists(HOST) and all(os.path.getmtime(path) < os.path.getmtime(HOST) for path in inputs):
        return
    wheel = fetch(WHEEL, WHEEL_SHA256, "libzt==1.8.4", "--python-version", "3.9", "--platform", "manylinux2010_x86_64")
    library = os.path.join(CACHE, "libzt-real.so")
    with zipfile.ZipFile(wheel) as archive, open(library, "wb") as file:
        file.write(archive.read(LIBRARY_IN_WHEEL))
    with open(os.path.join(CACHE, "missing_symbols.h"), "w") as file:
        file.write(_missing_symbols(library))
    _run(["cc", *COMPILER_FLAGS, "-fPIC", "-shared", "-I" + CACHE, os.path.join(SOURCES, "repair.c"),
          "-o", "libzt-repair.so", "-ldl"], "cc repair.c")
    # The order matters: what repair.so defines must be found before what the library defines.
    _run(["cc", *COMPILER_FLAGS, os.path.join(SOURCES, "libzt_host.c"), "-o", HOST, "-Wl,-z,lazy,--no-as-needed",
          "-L" + CACHE, "-l:libzt-repair.so", "-l:libzt-real.so", "-Wl,-rpath,$ORIGIN", "-lpthread"],
         "cc libzt_host.c")


class RealNode(lab.LineProcess):
    """One node of the real library, in its namespace. Every command of libzt_host.c is a call:
    node.call("tcp-connect", address=..., port=...) -> dict of its answer, all values text.

    The methods from `start` on are what a stage needs of any node. Our node answers the same lines: ours.py derives
    its class from this one."""

    PROGRAM = HOST
    LABEL = "real"

    def __init__(self, network_lab, place):
        self.place = place
        self.home = network_lab.path("home-" + place)
        os.makedirs(self.home, exist_ok=True)
        super().__init__(network_lab, place, [self.PROGRAM], label=self.LABEL + "@" + place)

    def start(self, planet, port=9993, identity=None, protocol=None, controller=None, **_):
        """Starts the node; with a secret identity as that, else as the one in its home or a new one. The protocol to
        announce, and to be a controller, are our node's options and mean nothing to the real one."""
        self.planet, self.port, self.protocol, self.controller = planet, port, protocol, controller
        if identity:
            with open(os.path.join(self.home, "identity.secret"), "w") as file:
                file.write(identity)
            with open(os.path.join(self.home, "identity.public"), "w") as file:
                file.write(public_part(identity))
        self.call("start", home=self.home, planet=planet, port=port, protocol=protocol, controller=controller)
        return self

    def online(self, timeout=30):
        """Waits until online; gives the seconds since start and remembers the address."""
        answer = self.call("online", limit=timeout + 5, timeout=timeout * 1000)
        self.address = answer["id"]
        return float(answer["ms"]) / 1000

    def join(self, network, family=6, timeout=30):
        """Joins and waits for an address of that family, which is the result."""
        self.call("join", network=network)
        return self.call("ready", limit=timeout + 5, network=network, family=family, timeout=timeout * 1000)["address"]

    def serve(self, port, family=6):
        """Echoes TCP streams and UDP datagrams on that port, for ever."""
        self.call("tcp-echo-serve", port=port, family=family)
        self.call("udp-echo-serve", port=port, family=family)

    def exchange_udp(self, address, port, count=20, size=1200, tries=10):
        """Sends datagrams to an echo, one after the other, and compares what comes back."""
        return self.call("udp-exchange", limit=120, address=address, port=port, count=count, size=size, tries=tries)

    def exchange_tcp(self, address, port, size, limit=180):
        """Connects to an echo, sends `size` bytes while it reads and compares them; Mbit/s in each direction."""
        socket = self.connect(address, port)
        result = self.call("tcp-exchange", limit=limit, socket=socket, bytes=size, timeout=limit * 1000)
        self.call("close", socket=socket)
        lab.check(int(result["bytes"]) == size, "%s bytes came back" % result["bytes"])
        return float(result["mbit"])

    def connect(self, address, port, timeout=45):
        return self.call("tcp-connect", limit=timeout, address=address, port=port)["socket"]

    def restarted(self, port=None):
        """Kills this node and starts another from the same home, on another port if one is given."""
        self.kill()
        return type(self)(self.lab, self.place).start(
            self.planet, port or self.port, protocol=self.protocol, controller=self.controller)


def public_part(identity):
    return ":".join(identity.strip().split(":")[:3])


def _tool(network_lab, command, **arguments):
    process = lab.LineProcess(network_lab, None, [HOST], label="real-tool")
    try:
        return process.call(command, limit=60, **arguments)
    finally:
        process.kill()


def new_identity(network_lab):
    return _tool(network_lab, "identity")["identity"]


def make_planet(network_lab, file, roots, world_id=987654321, timestamp=1700000000000):
    """roots: (identity text, ["10.77.1.2/9993", ...]) each."""
    arguments = {"root%d" % i: public_part(identity) + "@" + ",".join(endpoints)
                 for i, (identity, endpoints) in enumerate(roots)}
    _tool(network_lab, "world", file=file, id=world_id, timestamp=timestamp, **arguments)
    return file
