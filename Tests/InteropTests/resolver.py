"""Stages of the C library's resolver: a name server of the package dnslib that is on the virtual network."""

import hashlib
import os

import programs
import real
from cases import IPV4
from interop import stage
from lab import check

VERSION = "0.9.26"
WHEEL = "dnslib-%s-py3-none-any.whl" % VERSION
WHEEL_SHA256 = "e68719e633d761747c7e91bd241019ef5a2b61a63f56025939e144c841a70e0d"
SCRIPTS = os.path.join(real.REPOSITORY, "Tests", "InteropTests")
LIBRARY = os.path.join(programs.LIBRARY, "libzt.so")
# How many addresses of one answer the library keeps.
KEPT = 16


def missing():
    """Why the stages of this file cannot run, or None."""
    lacking = programs.missing()
    try:
        real.fetch(WHEEL, WHEEL_SHA256, "dnslib==" + VERSION)
    except real.Unavailable as error:
        return lacking or str(error)
    return lacking


def answers(client):
    """What the client was told, by generation and in order."""
    result = {}
    for line in client.text().splitlines():
        if line.endswith(" generation"):
            result[line] = found = []
        elif ": " in line:
            name, addresses = line.split(": ")
            found.append((name, [] if addresses == "none" else addresses.split()))
    return result


@stage(
    "names: both generations ask a name server of dnslib on the network",
    "names: what a datagram does not hold is asked for by TCP",
    "names: a silent server is passed over",
    "names: so is one that gives cut answers without records and takes no streams",
    library=True, missing=missing,
)
def name_server(runner, network_lab):
    bench = programs.Bench(runner, network_lab)
    wheel = os.path.join(real.CACHE, WHEEL)
    server = bench.run("b", os.path.join(SCRIPTS, "dns_server.py"), LIBRARY, wheel, "HOME", IPV4)
    address = server.line(r"name server at (\S+)")
    # Another address of the 2^48 behind the same node: it has one of them, and says nothing for the others.
    check(address.endswith("::1"), address)
    silent = address[:-1] + "2"
    client = bench.run("c", os.path.join(SCRIPTS, "dns_client.py"), LIBRARY, "HOME", IPV4, address, silent)
    many = {"10.9.8.%d" % number for number in range(1, 41)}
    with runner.case("names: both generations ask a name server of dnslib on the network"):
        client.finish(90)
        found = answers(client)
        both = ["10.1.2.3", "10.1.2.4"]
        told = [(name, sorted(addresses)) for name, addresses in found["second generation"]]
        check(told[:4] == [("host.lan.test", both), ("www.lan.test", both), ("six.lan.test", ["fd00:53::7"]),
                           ("nobody.lan.test", [])], "second generation: %r" % told)
        check(told[5:] == [("10.0.0.9", ["10.0.0.9"]), ("host.lan.test", [])], "second generation: %r" % told)
        told = [(name, sorted(addresses)) for name, addresses in found["first generation"]]
        check(told[:2] == [("HOST.lan.test", both), ("www.lan.test.", both)] and told[4:] == [("host.lan.test", [])],
              "first generation: %r" % told)
        # A name without IPv4 addresses is asked for twice, and one that is not there once.
        asked = server.matches(r"datagram (.*)")
        check(asked.count("six.lan.test A") == 1 and asked.count("six.lan.test AAAA") == 1, "asked %r" % asked)
        check([line for line in asked if "nobody" in line] == ["nobody.lan.test A"], "asked %r" % asked)
    with runner.case("names: what a datagram does not hold is asked for by TCP"):
        for generation, index in (("second generation", 4), ("first generation", 2)):
            name, addresses = found[generation][index]
            check(name == "many.lan.test" and len(set(addresses)) == KEPT and set(addresses) <= many,
                  "%s: %r" % (name, addresses))
        check(server.matches(r"stream (.*)") == ["many.lan.test A"] * 2, "asked %r" % server.matches("stream (.*)"))
    with runner.case("names: a silent server is passed over"):
        # Both names of the first generation were answered although the first server is not there.
        check(server.matches("datagram (.*)").count("host.lan.test A") == 2, "the question came another number of times")
        check(len(found["first generation"]) == 5, "answers lack")
    with runner.case("names: so is one that gives cut answers without records and takes no streams"):
        check(told[3] == ("www.lan.test", both), "first generation: %r" % told)
        check(server.matches(r"cut (.*)") == ["www.lan.test A"], "asked %r" % server.matches("cut (.*)"))
