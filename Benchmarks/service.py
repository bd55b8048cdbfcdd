#!/usr/bin/env python3
"""What a large network costs its REST service: the calls of ZTNET and ZeroUI for 100,000 members, against the built program as
users run it. The last line is one JSON object.

    service.py --program ZEROTIER --bench BENCH [--members N]

ZTNET asks for the list, then for each member, five at a time. ZeroUI asks for all members at once. Its agent opens a
connection for each question, as many as the system gives it; later agents keep a number of them open. Both are tried."""

import argparse
import collections
import contextlib
import json
import os
import resource
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

# What a client has open at once. There are 28,000 local ports; with most of them in use the kernel searches long for a free one.
AT_ONCE = 8_000
KEPT_OPEN = 1_000
BATCH = 5
# A question that has no answer after so long is an error. Axios of ZeroUI has no limit, ZTNET's is 10 s.
PATIENCE = 120
REST = 3


def memory(process, row="VmRSS"):
    """Kilobytes of a process."""
    with open("/proc/%d/status" % process) as file:
        return next(int(line.split()[1]) for line in file if line.startswith(row + ":"))


@contextlib.contextmanager
def running(program, home, planet, *options):
    """A node on the loopback interface with roots that do not answer: (process ID, port of the service, seconds)."""
    since = time.monotonic()
    # Anything else that the machine says of nodes is not for this one.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ZEROTIER")}
    child = subprocess.Popen(
        [program, "run", "--home", home, "--planet", planet, "--bind", "127.0.0.1", "--json", *options],
        stdout=subprocess.PIPE, env=environment)
    try:
        wanted = "service" if "--service" in options else "started"
        for line in child.stdout:
            event = json.loads(line)
            if event.get("event") == wanted:
                break
        else:
            raise RuntimeError("the node did not start")
        threading.Thread(target=child.stdout.read, daemon=True).start()
        yield child.pid, event["port"], time.monotonic() - since
    finally:
        child.terminate()
        if child.wait() != 0:
            raise RuntimeError("the node ended with status %d" % child.returncode)


class Client:
    """Asks for paths with the token in a header."""

    def __init__(self, port, home):
        self.address = ("127.0.0.1", port)
        with open(os.path.join(home, "authtoken.secret")) as file:
            self.token = file.read()

    def request(self, path, keep=True):
        return ("GET %s HTTP/1.1\r\nHost: localhost:%d\r\nX-ZT1-Auth: %s\r\nConnection: %s\r\n\r\n" % (
            path, self.address[1], self.token, "keep-alive" if keep else "close")).encode()

    @staticmethod
    def status(answer):
        """The status of a whole answer with a length; None for a part of one."""
        head, found, body = answer.partition(b"\r\n\r\n")
        if not found:
            return None
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                return int(head[9:12]) if len(body) >= int(value) else None
        raise ValueError("an answer without a length")

    def get(self, path):
        """The object at a path, and the seconds to its last byte."""
        with socket.create_connection(self.address, PATIENCE) as connection:
            since = time.perf_counter()
            connection.sendall(self.request(path, keep=False))
            parts = []
            while part := connection.recv(1 << 20):
                parts.append(part)
            seconds = time.perf_counter() - since
        head, _, body = b"".join(parts).partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError("%s: %s" % (path, head[:80]))
        if b"transfer-encoding: chunked" in head.lower():
            body = Client.joined(body)
        return json.loads(body), seconds

    @staticmethod
    def joined(body):
        """The bytes of a body in chunks."""
        parts, place = [], 0
        while True:
            end = body.index(b"\r\n", place)
            length = int(body[place:end], 16)
            if length == 0:
                return b"".join(parts)
            parts.append(body[end + 2:end + 2 + length])
            place = end + 4 + length

    def in_batches(self, paths):
        """Asks five at a time, on connections that stay; the number of errors."""
        errors = 0
        connections = [socket.create_connection(self.address, PATIENCE) for _ in range(BATCH)]
        for start in range(0, len(paths), BATCH):
            asked = list(zip(connections, paths[start:start + BATCH]))
            for connection, path in asked:
                connection.sendall(self.request(path))
            for connection, _ in asked:
                answer = b""
                while (status := Client.status(answer)) is None:
                    part = connection.recv(1 << 16)
                    if not part:
                        raise RuntimeError("a connection was closed")
                    answer += part
                errors += status != 200
        for connection in connections:
            connection.close()
        return errors

    def at_once(self, paths, connections, keep):
        """Asks for all, on so many connections at a time; the errors by kind."""
        waiting = collections.deque(paths)
        errors = collections.Counter()
        poller = select.epoll()
        open_ones = {}
        end = time.monotonic() + PATIENCE

        def begin():
            one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            one.setblocking(False)
            one.connect_ex(self.address)
            open_ones[one.fileno()] = [one, self.request(waiting.popleft(), keep), b""]
            poller.register(one.fileno(), select.EPOLLOUT)

        def finish(number):
            poller.unregister(number)
            open_ones.pop(number)[0].close()

        try:
            while waiting or open_ones:
                while waiting and len(open_ones) < connections:
                    begin()
                ready = poller.poll(1)
                if ready:
                    end = time.monotonic() + PATIENCE
                elif time.monotonic() > end:
                    errors["no answer"] += len(open_ones) + len(waiting)
                    break
                for number, events in ready:
                    entry = open_ones[number]
                    try:
                        if events & select.EPOLLOUT:
                            entry[0].send(entry[1])
                            poller.modify(number, select.EPOLLIN)
                            continue
                        part = entry[0].recv(1 << 16)
                        if not part:
                            raise ConnectionError("closed without an answer")
                        entry[2] += part
                        status = Client.status(entry[2])
                        if status is None:
                            continue
                        if status != 200:
                            errors["status %d" % status] += 1
                        if keep and waiting:
                            entry[1], entry[2] = self.request(waiting.popleft()), b""
                            entry[0].send(entry[1])
                            continue
                    except OSError as error:
                        errors[str(error)] += 1
                    finish(number)
        finally:
            for number in list(open_ones):
                finish(number)
            poller.close()
        return errors


def members(client):
    """The paths of all members of all networks, as clients find them."""
    paths = []
    for network in client.get("/controller/network")[0]:
        path = "/controller/network/%s/member" % network
        paths += ["%s/%s" % (path, member) for member in client.get(path)[0]]
    return paths


def large(program, home, planet, count, at_once):
    values = {}
    with running(program, home, planet, "--service", "--service-port", "0", "--controller") as (process, port, seconds):
        values["service.start_s"] = seconds
        values["service.rss_start_mb"] = memory(process) / 1024
        client = Client(port, home)
        network = client.get("/controller/network")[0][0]
        path = "/controller/network/%s/member" % network
        lists = [client.get(path) for _ in range(5)]
        if len(lists[0][0]) != count:
            raise RuntimeError("%d members are listed, not %d" % (len(lists[0][0]), count))
        values["service.list_ms"] = statistics.median(seconds for _, seconds in lists) * 1e3
        values["service.records_ms"] = client.get("/unstable" + path)[1] * 1e3
        paths = ["%s/%s" % (path, member) for member in lists[0][0]]
        errors = 0
        for name, ask in (
                ("ztnet", lambda: client.in_batches(paths)),
                ("zeroui_kept", lambda: client.at_once(paths, KEPT_OPEN, keep=True)),
                ("zeroui", lambda: client.at_once(paths, at_once, keep=False))):
            since = time.monotonic()
            found = ask()
            values["service.%s_per_s" % name] = count / (time.monotonic() - since)
            if found:
                print("%s: %s" % (name, found), file=sys.stderr)
            errors += found if isinstance(found, int) else sum(found.values())
            print("  %s: %d kB" % (name, memory(process)), file=sys.stderr)
        values["service.errors"] = errors
        values["service.rss_mb"] = memory(process, "VmHWM") / 1024
    return values


def small(program, home, plain, planet):
    with running(program, plain, planet) as (process, _, _):
        time.sleep(REST)
        base = memory(process)
    with running(program, home, planet, "--service", "--service-port", "0", "--controller") as (process, port, _):
        time.sleep(REST)
        rest = memory(process)
        client = Client(port, home)
        paths = members(client)
        client.in_batches(paths)
        errors = client.at_once(paths, len(paths), keep=False)
        if len(paths) != 1000 or errors:
            raise RuntimeError("%d members, errors: %s" % (len(paths), errors))
        # What a crowd needed is given back a moment after its end.
        time.sleep(REST)
        used = memory(process)
    return {"service.plain_kb": base, "service.small_rest_kb": rest - base, "service.small_more_kb": used - base}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True, help="the built command zerotier")
    parser.add_argument("--bench", required=True, help="the built bench, which makes the state directories")
    parser.add_argument("--members", type=int, default=100_000)
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = AT_ONCE + 1000
    allowed = wanted if hard < 0 else min(hard, wanted)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    with tempfile.TemporaryDirectory() as folder:
        home = {name: os.path.join(folder, name) for name in ("large", "small", "plain", "planet", "root")}
        for name, networks, count in (("large", 1, options.members), ("small", 10, 100), ("plain", 0, 0)):
            subprocess.run(
                [options.bench, "controller", "home", home[name], str(networks), str(count)], check=True,
                stdout=subprocess.DEVNULL)
        subprocess.run([options.program, "identity", "new", "--output", home["root"]], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(
            [options.program, "world", "make", "--root", home["root"] + "=127.0.0.1/9", "--key", home["planet"] + ".key",
             "--output", home["planet"]], check=True, stdout=subprocess.DEVNULL)
        values = large(options.program, home["large"], home["planet"], options.members, allowed - 1000)
        values.update(small(options.program, home["small"], home["plain"], home["planet"]))
    print(json.dumps({name: round(value, 3) for name, value in values.items()}))


if __name__ == "__main__":
    main()
