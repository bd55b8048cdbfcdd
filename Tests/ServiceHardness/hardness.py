"""What hostile clients do to the service of a real node: every answer has the right status, nothing changes, memory stays within
bounds, no secret gets into a log, and afterwards the service answers as before."""

import argparse
import json
import os
import resource
import selectors
import socket
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "BrowserTests"))

import world  # noqa: E402

MIB = 1 << 20
# Resident memory above that before the first case. A body of 16 MiB takes some twenty times as much while it is read.
MEMORY = 700 * MIB


class Failure(Exception):
    pass


def expect(condition, text):
    if not condition:
        raise Failure(text)


class Node:
    """The node under test, and what is seen of it from outside."""

    def __init__(self, program):
        self.world = world.World(program)
        self.port, self.token = self.world.port, self.world.token
        self.process = self.world.processes[1].process
        with open(os.path.join(self.world.folder, "node", "metricstoken.secret")) as file:
            self.metrics = file.read()
        self.network = self.world.ask("POST", f"/controller/network/{self.world.address}______", {"name": "first"})["id"]
        self.world.ask("POST", f"/controller/network/{self.network}/member/1122334455", {"authorized": True})
        self.before = self.state()
        self.base, self.peak = self.memory(), 0
        self.ending = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def memory(self):
        with open(f"/proc/{self.process.pid}/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize()

    def files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def _watch(self):
        while not self.ending.wait(0.02):
            try:
                self.peak = max(self.peak, self.memory())
            except OSError:
                return

    def state(self):
        """All that requests can change."""
        paths = ["/controller/network", f"/controller/network/{self.network}", f"/unstable/controller/network/{self.network}/member",
                 "/network", "/moon", "/config"]
        return [self.world.ask("GET", path) for path in paths]

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=90)
        return connection

    def ask(self, method, path, headers=(), body=None, token=True):
        """Status and bytes of an answer on a connection of its own; None if the connection is closed without one."""
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
        lines += [f"X-ZT1-Auth: {self.token}"] if token else []
        lines += list(headers)
        if body is not None and not any(line.lower().startswith(("content-length", "transfer-encoding")) for line in lines):
            lines.append(f"Content-Length: {len(body)}")
        return self.raw("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b""))

    def raw(self, data, seconds=90):
        with self.connect() as connection:
            connection.settimeout(seconds)
            try:
                connection.sendall(data)
            except OSError:
                pass
            return read_answer(connection)

    def end(self):
        self.ending.set()
        self.world.end()


def read_answer(connection):
    """Status and body of the next answer; None if there is none."""
    data = b""
    try:
        while b"\r\n\r\n" not in data:
            part = connection.recv(65536)
            if not part:
                return None
            data += part
        head, _, rest = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        status = int(lines[0].split()[1])
        if status == 100:
            return read_answer(connection)
        while len(rest) < int(headers.get("content-length", 0)):
            part = connection.recv(65536)
            if not part:
                return None
            rest += part
        return status, rest
    except (ConnectionError, socket.timeout):
        return None


def operations():
    """Method and path of every operation, with the examples of its parameters; whether it is open to who has no token."""
    with open(os.path.join(HERE, "..", "..", "Sources", "ZeroTierService", "Description", "openapi.json")) as file:
        description = json.load(file)
    for path, item in description["paths"].items():
        for method, operation in item.items():
            target = path
            for parameter in operation.get("parameters", []):
                if "$ref" in parameter:
                    parameter = description["components"]["parameters"][parameter["$ref"].split("/")[-1]]
                if parameter["in"] == "path":
                    target = target.replace("{" + parameter["name"] + "}", parameter["example"])
            yield method.upper(), target, operation.get("security") == []


# MARK: Cases


def tokens(node):
    """Missing, wrong and oversized tokens, in each place, at each path."""
    shown = ["", "wrong", node.token[:-1], node.token + "x", node.token.upper(), node.token[::-1], "a" * 24, "a" * 8000,
             "\xff" * 24, node.token + ", " + node.token, "Bearer " + node.token]
    ways = [lambda token: ([f"X-ZT1-Auth: {token}"], ""), lambda token: ([f"Authorization: Bearer {token}"], ""),
            lambda token: ([], "?auth=" + token.replace("\xff", "%ff").replace(" ", "%20").replace(",", "%2c"))]
    count = 0
    for method, path, is_open in operations():
        body = b"{}" if method == "POST" else None
        attempts = [([], "")] + [way(token) for token in shown for way in ways]
        if path != "/metrics":
            attempts += [way(node.metrics) for way in ways]
        for headers, query in attempts:
            answer = node.ask(method, path + query, headers, body, token=False)
            expect(answer is not None, f"{method} {path} {query[:40]}: no answer")
            allowed = (200, 308) if is_open else (401,)
            # A file of the page that is an example of nothing.
            expect(answer[0] in allowed, f"{method} {path} {headers} {query[:60]}: {answer}")
            expect(is_open or answer[1] == b"{}", f"{method} {path}: {answer}")
            count += 1
    for size in (20_000, 40_000, 2_000_000):
        for headers, query in [way("a" * size) for way in ways]:
            answer = node.ask("GET", "/status" + query, headers, token=False)
            expect(answer is None or answer[0] in (400, 401), f"a token of {size} bytes: {answer}")
            count += 1
    return f"{count} requests"


def browsers(node):
    """Pages of other origins and names that lead here."""
    count = 0
    for method, path, _ in operations():
        for headers in [["Origin: http://evil.example.com"], ["Origin: null"], ["Sec-Fetch-Site: cross-site"],
                        ["Sec-Fetch-Site: same-site"], ["Origin: http://evil.example.com", "Content-Type: text/plain"]]:
            answer = node.ask(method, path, headers, b"{}" if method == "POST" else None)
            expect(answer and answer[0] == 403, f"{method} {path} {headers}: {answer}")
            count += 1
        two = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nHost: evil.example.com\r\nX-ZT1-Auth: {node.token}\r\nContent-Length: 0\r\n\r\n"
        answer = node.raw(two.encode())
        expect(answer and answer[0] in (400, 403), f"{method} {path}, two Host headers: {answer}")
        for host in ["evil.example.com", f"evil.example.com:{node.port}", "localhost.evil.com", "127.0.0.1.evil.com", "[::1", ""]:
            text = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nX-ZT1-Auth: {node.token}\r\nContent-Length: 0\r\n\r\n"
            answer = node.raw(text.encode())
            expect(answer and answer[0] in (400, 403), f"{method} {path}, Host {host!r}: {answer}")
            count += 1
    return f"{count} requests"


def bodies(node):
    """Bodies that are broken, deep, long, or many at a time."""
    changes = ["/controller/network", f"/controller/network/{node.network}", f"/controller/network/{node.network}/member/2233445566",
               "/config/settings", "/zt/rules/compile", "/zt/rules/text", "/zt/rules/test"]
    length = 16 * MIB
    broken = [b"{", b"\x00", b"\xff\xfe", b"{\"a\":}", b"nul", b"[1,", b"\"" + b"a" * 1000, b"[" * 100_000, b"{\"a\":" * 100_000,
              b"[" * 100 + b"]" * 100, b"{\"name\":1e999}", b"{\"name\":\"a\",\"name\":\"b\"}", b"[1]", b"1"]
    count = 0
    for path in changes:
        for body in broken:
            answer = node.ask("POST", path, (), body)
            expect(answer and answer[0] in (400, 500), f"{path} {body[:20]}: {answer}")
            count += 1
        for body in [b" " * length, b"[" + b"1," * (length // 2 - 2) + b"1]", b"[" + b"[]," * (length // 3 - 2) + b"[]]",
                     b"{\"source\":\"" + b"x" * (length - 100) + b"\"}", b"{\"name\":\"" + b"\\u0001" * (length // 6 - 20) + b"\"}"]:
            answer = node.ask("POST", path, (), body)
            # Names that are not known are passed over.
            allowed = (200, 400) if body[:1] == b"{" else (400, 500)
            expect(answer and answer[0] in allowed, f"{path} {body[:20]} of {len(body)} bytes: {answer and answer[0]}")
            count += 1
        answer = node.ask("POST", path, [f"Content-Length: {length + 1}"])
        expect(answer and answer[0] == 413, f"{path}, too long: {answer}")
        answer = node.ask("POST", path, [f"Content-Length: {length + 1}"], token=False)
        expect(answer and answer[0] == 401, f"{path}, too long, no token: {answer}")
        count += 2
    return f"{count} requests"


def floods_of_bodies(node):
    """Forty bodies of 16 MiB at a time."""
    body = b"{\"name\":[" + b"[]," * (16 * MIB // 3 - 20) + b"1]}"
    answers = []

    def post():
        answers.append(node.ask("POST", "/controller/network", (), body))

    threads = [threading.Thread(target=post) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = [answer and answer[0] for answer in answers]
    expect(set(statuses) <= {400, 503, None}, f"{statuses}")
    expect(400 in statuses, f"none was read: {statuses}")
    return ", ".join(f"{statuses.count(status)} times {status}" for status in sorted(set(statuses), key=str))


def paths(node):
    """Targets and methods of every kind."""
    targets = ["/", "//", "/.", "/..", "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/app/../authtoken.secret", "/app/%2e%2e%2fauthtoken.secret",
               "/app//", "/app/index.html/", "/status/", "/%", "/%zz", "/%ff", "/\x7f", "/status%00", "/" + "a" * 8000, "/" + "a/" * 4000,
               "/network/" + "f" * 15, "/network/" + "f" * 17, "/network/gggggggggggggggg", "/peer/+123456789", "*", "http://localhost", "evil.example.com:80",
               "/authtoken.secret", "/identity.secret", "/controller/network/________________", "/?" + "a=b&" * 3000, "/?" + "auth&" * 1000]
    count = 0
    for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW", "get", "G" * 300]:
        for target in targets:
            answer = node.ask(method, target, (), b"" if method in ("POST", "PUT") else None)
            expect(answer is None or answer[0] in (400, 403, 404), f"{method[:20]} {target[:60]}: {answer}")
            expect(answer is None or node.token.encode() not in answer[1], f"{method[:20]} {target[:60]} shows the token")
            count += 1
    for text in [b"\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01", b"GET /status\r\n\r\n", b"GET /status HTTP/9.9\r\n\r\n", b"\x00" * 1000,
                 b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 5000 + b"\r\n",
                 b"POST /network HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"POST /network HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
                 b"POST /network HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n"]:
        answer = node.raw(text, seconds=5)
        expect(answer is None or answer[0] in (400, 401), f"{text[:40]}: {answer}")
        count += 1
    return f"{count} requests"


def slow(node):
    """Heads and bodies that come byte by byte, answers that nobody reads: all are let go, and others are served meanwhile."""
    head = f"POST /controller/network HTTP/1.1\r\nX-ZT1-Auth: {node.token}\r\nContent-Length: 100000\r\n\r\n".encode()
    question = f"GET /zt/openapi.json HTTP/1.1\r\nX-ZT1-Auth: {node.token}\r\n\r\n".encode()
    kinds = {"head": b"GET /status HTTP/1.1\r\nX-A: ", "body": head, "body without a token": head.replace(node.token.encode(), b"x" * 24),
             "reader": question * 100, "silent": b""}
    clients, files = [], node.files()
    for kind, beginning in kinds.items():
        for _ in range(150):
            connection = node.connect()
            connection.setblocking(False)
            if kind == "reader":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            try:
                connection.send(beginning)
            except OSError:
                pass
            clients.append((kind, connection))
    # Who does not read does not see the end either: the descriptors of the node tell.
    begin, longest, gone = time.monotonic(), 0, {}
    while (len(gone) < sum(kind != "reader" for kind, _ in clients) or node.files() > files + 8) and time.monotonic() - begin < 140:
        for index, (kind, connection) in enumerate(clients):
            if index in gone:
                continue
            try:
                if kind in ("head", "body", "body without a token"):
                    connection.send(b"a")
                elif kind == "silent" and not connection.recv(1):
                    gone[index] = time.monotonic() - begin
            except BlockingIOError:
                pass
            except OSError:
                gone[index] = time.monotonic() - begin
        asked = time.monotonic()
        expect(node.ask("GET", "/status")[0] == 200, "no answer beside slow clients")
        longest = max(longest, time.monotonic() - asked)
        time.sleep(0.5)
    left = [kind for index, (kind, _) in enumerate(clients) if index not in gone and kind != "reader"]
    left += ["reader"] * max(0, node.files() - files - 8 - len(left))
    for _, connection in clients:
        connection.close()
    expect(not left, f"still open after {time.monotonic() - begin:.0f} s: " + ", ".join(f"{left.count(kind)} {kind}" for kind in sorted(set(left))))
    return f"{len(clients)} clients let go within {time.monotonic() - begin:.0f} s; the longest wait of another {longest:.2f} s"


def crowd(node):
    """Ten thousand connections of one program: those that ask are all answered, and those that are silent keep nobody out."""
    size = 10_000
    results = []
    for request in (b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n", b""):
        selector, begin = selectors.EpollSelector(), time.monotonic()
        clients = []
        for _ in range(size):
            connection = socket.socket()
            connection.setblocking(False)
            connection.connect_ex(("127.0.0.1", node.port))
            clients.append(connection)
            selector.register(connection, selectors.EVENT_WRITE)
        connected, answered, closed = 0, 0, 0
        end = time.monotonic() + (240 if request else 20)
        others = 0
        while time.monotonic() < end and answered + closed < size:
            for key, events in selector.select(0.5):
                connection = key.fileobj
                if events & selectors.EVENT_WRITE:
                    connected += 1
                    selector.modify(connection, selectors.EVENT_READ)
                    try:
                        connection.send(request)
                    except OSError:
                        pass
                    continue
                try:
                    data = connection.recv(4096)
                except OSError:
                    data = b""
                answered += 1 if data.startswith(b"HTTP/1.1 200") else 0
                closed += 0 if data else 1
                # It stays open, as of a client that forgets it.
                selector.unregister(connection)
            if not request:
                answer = node.ask("GET", "/status")
                expect(answer and answer[0] == 200, f"a crowd of silent clients keeps others out: {answer}")
                others += 1
        if request:
            expect(answered == size, f"{answered} of {size} answered, {connected} connected, {closed} closed, {time.monotonic() - begin:.0f} s")
            results.append(f"{answered} answered in {time.monotonic() - begin:.1f} s")
        else:
            expect(others > 3, f"{others} others were answered beside silent ones")
            results.append(f"{others} others answered beside {connected} silent ones")
        results[-1] += f", {node.memory() // MIB} MiB, {node.files()} descriptors"
        for connection in clients:
            connection.close()
        selector.close()
    return "; ".join(results)


CASES = [tokens, browsers, paths, bodies, floods_of_bodies, slow, crowd]


def secrets(node, folder):
    """What the program printed, and what it wrote, has neither token."""
    texts = {"the log": "\n".join(process.log() for process in node.world.processes)}
    for root, _, names in os.walk(folder):
        for name in names:
            if name not in ("authtoken.secret", "metricstoken.secret") and os.path.isfile(os.path.join(root, name)):
                with open(os.path.join(root, name), "rb") as file:
                    texts[name] = file.read().decode("latin-1")
    for place, text in texts.items():
        for secret in (node.token, node.metrics):
            # A part of one is as bad.
            expect(secret not in text and secret[:12] not in text and secret[12:] not in text, f"a token stands in {place}")
    expect("service at" in texts["the log"], "the log was not read")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--zerotier", required=True)
    parser.add_argument("--only", action="append", choices=[case.__name__ for case in CASES])
    options = parser.parse_args()
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if limit < 12_000:
        sys.exit(f"ten thousand connections need 12,000 open files; this system allows {limit} (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    node, failed = Node(options.zerotier), 0
    try:
        for case in CASES:
            if options.only and case.__name__ not in options.only:
                continue
            node.peak = 0
            begin = time.monotonic()
            try:
                said = case(node)
                expect(node.process.poll() is None, "the node has died")
                expect(node.ask("GET", "/health", token=False)[0] == 200, "the service answers no more")
                if case not in (bodies,):
                    expect(node.state() == node.before, "something was changed")
                expect(node.peak < node.base + MEMORY, f"{node.peak // MIB} MiB of memory")
                print(f"ok      {case.__name__}: {said}; memory {node.base // MIB} MiB before, {node.peak // MIB} at most, "
                      f"{node.memory() // MIB} after; {time.monotonic() - begin:.0f} s", flush=True)
            except Failure as failure:
                failed += 1
                print(f"FAILED  {case.__name__}: {failure}", flush=True)
            if case is bodies:
                node.before = node.state()
        try:
            secrets(node, node.world.folder)
            print("ok      secrets: neither token in a log or a file of the state directory")
        except Failure as failure:
            failed += 1
            print(f"FAILED  secrets: {failure}")
    finally:
        node.end()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
