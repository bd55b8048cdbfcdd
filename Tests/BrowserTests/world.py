"""A private world on the loopback interface: a root, a node with its service and controller, and nodes that want to be members."""

import http.client
import json
import os
import queue
import re
import shutil
import subprocess
import tempfile
import threading
import time

PATIENCE = 30


class Process:
    """A node in a process of its own. It ends with its standard input."""

    def __init__(self, program, arguments, folder):
        self.lines, self.seen = queue.Queue(), []
        self.process = subprocess.Popen(
            [program, *arguments, "--end-with-input", "--plain-log"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, cwd=folder)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def line(self, pattern):
        """Waits for a line that matches, and gives the match."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                line = self.lines.get(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                break
            if line is None:
                break
            self.seen.append(line)
            found = re.search(pattern, line)
            if found:
                return found
        raise AssertionError(f"no line matches {pattern}: " + "\n".join(self.seen))

    def log(self):
        """All that was printed."""
        while not self.lines.empty():
            line = self.lines.get()
            if line is not None:
                self.seen.append(line)
        return "\n".join(self.seen)

    def end(self):
        try:
            self.process.stdin.close()
        except OSError:
            pass
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class World:
    def __init__(self, program):
        self.program = os.path.abspath(program)
        self.folder = tempfile.mkdtemp(prefix="page-world-")
        self.processes = []
        port = 19_993
        root = self._start("root", "--home", "root", "--udp-port", str(port), "--endpoint", f"127.0.0.1/{port}")
        root.line("state in")
        self.node = self._start(
            "run", "--home", "node", "--planet", "root/planet", "--service", "--controller", "--service-port", "0")
        self.address = self.node.line(r"node ([0-9a-f]{10}) on UDP port").group(1)
        self.port = int(self.node.line(r"service at http://127\.0\.0\.1:(\d+)").group(1))
        with open(os.path.join(self.folder, "node", "authtoken.secret")) as file:
            self.token = file.read()
        self.origin = f"http://127.0.0.1:{self.port}"

    def _start(self, *arguments):
        process = Process(self.program, [*arguments, "--loopback-paths"], self.folder)
        self.processes.append(process)
        return process

    def member(self, name, network):
        """Starts a node that asks for a network; its address."""
        process = self._start("run", "--home", name, "--planet", "root/planet", "--join", network)
        return process.line(r"node ([0-9a-f]{10}) on UDP port").group(1)

    def raw(self, method, path, body=None, headers={}):
        """Status, headers and bytes of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def ask(self, method, path, body=None):
        status, _, text = self.raw(
            method, path, None if body is None else json.dumps(body), {"X-ZT1-Auth": self.token})
        assert status == 200, (method, path, status, text)
        return json.loads(text)

    def end(self):
        for process in reversed(self.processes):
            process.end()
        shutil.rmtree(self.folder, ignore_errors=True)
