#!/usr/bin/env python3
"""Other overlays beside ours, where they are installed: wireguard-go and Nebula over TUN devices, measured by iperf3 between
two network namespaces joined by a veth pair. The last line is one JSON object, empty where nothing is installed.

Needs root, /dev/net/tun, iproute2 and iperf3. Nothing outside of the two namespaces is touched."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

NAMES = ("ztbench-a-%d" % os.getpid(), "ztbench-b-%d" % os.getpid())
OUTER = ("10.88.0.1", "10.88.0.2")
INNER = ("10.89.0.1", "10.89.0.2")
SECONDS = 3


def shell(*words, **options):
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options).stdout


def inside(place, *words, **options):
    return shell("ip", "netns", "exec", NAMES[place], *words, **options)


@contextlib.contextmanager
def children():
    started = []

    def start(place, *words):
        started.append(subprocess.Popen(["ip", "netns", "exec", NAMES[place], *words], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL))
    try:
        yield start
    finally:
        for child in started:
            child.terminate()
        for child in started:
            child.wait()


@contextlib.contextmanager
def namespaces():
    """Two namespaces that see each other by OUTER."""
    made = []
    try:
        for name in NAMES:
            shell("ip", "netns", "add", name)
            made.append(name)
        shell("ip", "link", "add", "eth0", "netns", NAMES[0], "type", "veth", "peer", "name", "eth0", "netns", NAMES[1])
        for place in (0, 1):
            inside(place, "ip", "address", "add", OUTER[place] + "/24", "dev", "eth0")
            for link in ("lo", "eth0"):
                inside(place, "ip", "link", "set", link, "up")
        yield
    finally:
        for name in made:
            subprocess.run(["ip", "netns", "del", name], check=False)


def measure(group, start):
    """TCP from the first namespace to the second's inner address."""
    start(1, "iperf3", "-s")
    end = time.monotonic() + 15
    trial = "import socket; socket.create_connection((%r, 5201), 1).close()" % INNER[1]
    while subprocess.run(["ip", "netns", "exec", NAMES[0], sys.executable, "-c", trial],
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0:
        if time.monotonic() > end:
            raise RuntimeError("%s: the other end does not answer" % group)
        time.sleep(0.2)
    result = {}
    for row, streams in (("stream1_mbit", 1), ("stream8_mbit", 8)):
        answer = json.loads(inside(0, "iperf3", "-c", INNER[1], "-t", str(SECONDS), "-P", str(streams), "-J"))
        result["%s.%s" % (group, row)] = round(answer["end"]["sum_received"]["bits_per_second"] / 1e6, 1)
    return result


def wireguard_go(folder, start):
    keys = [shell("wg", "genkey").strip() for _ in range(2)]
    public = [shell("wg", "pubkey", input=key).strip() for key in keys]
    for place in (0, 1):
        name = "ztwg%d" % place
        start(place, "wireguard-go", "--foreground", name)
        path = os.path.join(folder, name)
        with open(path, "w") as file:
            file.write("[Interface]\nPrivateKey = %s\nListenPort = 51820\n[Peer]\nPublicKey = %s\n"
                       "AllowedIPs = %s/32\nEndpoint = %s:51820\n" % (
                           keys[place], public[1 - place], INNER[1 - place], OUTER[1 - place]))
        for attempt in range(50):
            try:
                inside(place, "wg", "setconf", name, path)
                break
            except subprocess.CalledProcessError:
                if attempt == 49:
                    raise
                time.sleep(0.1)
        inside(place, "ip", "address", "add", INNER[place] + "/24", "dev", name)
        inside(place, "ip", "link", "set", name, "mtu", "1420", "up")
    return measure("wireguard_go", start)


def nebula(folder, start):
    shell("nebula-cert", "ca", "-name", "bench", cwd=folder)
    for place in (0, 1):
        shell("nebula-cert", "sign", "-name", "n%d" % place, "-ip", INNER[place] + "/24", cwd=folder)
        path = os.path.join(folder, "n%d.yml" % place)
        with open(path, "w") as file:
            json.dump({  # YAML has JSON in it.
                "pki": {"ca": folder + "/ca.crt", "cert": "%s/n%d.crt" % (folder, place),
                        "key": "%s/n%d.key" % (folder, place)},
                "static_host_map": {INNER[1 - place]: [OUTER[1 - place] + ":4242"]},
                "lighthouse": {"am_lighthouse": False, "hosts": []},
                "listen": {"host": "0.0.0.0", "port": 4242}, "tun": {"dev": "ztnebula%d" % place},
                "firewall": {"outbound": [{"port": "any", "proto": "any", "host": "any"}],
                             "inbound": [{"port": "any", "proto": "any", "host": "any"}]}}, file)
        start(place, "nebula", "-config", path)
    return measure("nebula", start)


def main():
    result = {}
    ready = os.geteuid() == 0 and os.path.exists("/dev/net/tun") and shutil.which("iperf3") and shutil.which("ip")
    for programs, run in ((("wireguard-go", "wg"), wireguard_go), (("nebula", "nebula-cert"), nebula)):
        if not ready or not all(shutil.which(program) for program in programs):
            continue
        try:
            with tempfile.TemporaryDirectory() as folder, namespaces(), children() as start:
                result.update(run(folder, start))
        except (RuntimeError, OSError, ValueError, KeyError, subprocess.CalledProcessError) as error:
            print("left out: %s: %s %s" % (programs[0], error, getattr(error, "stdout", "") or ""), file=sys.stderr)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
