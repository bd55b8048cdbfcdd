"""The service of a real node, asked by its description: no server error, and no status, type or form that it does not say."""

import argparse
import collections
import json
import os
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "BrowserTests"))

import world  # noqa: E402


def furnish(node):
    """Something to find: a network with a member that waits and one that was let in; the network."""
    network = node.ask("POST", f"/controller/network/{node.address}______", {"name": "first"})["id"]
    node.member("member", network)
    node.ask("POST", f"/controller/network/{network}/member/1122334455", {"authorized": True})
    node.ask("POST", f"/network/{network}", {})
    return network


def round_of_cases(node, network, phases, seed, examples):
    """Status counts by operation, and what schemathesis prints; None if it found something."""
    with tempfile.NamedTemporaryFile() as counts:
        environment = dict(
            os.environ, SCHEMA_HERE=HERE, SCHEMA_COUNTS=counts.name, SCHEMA_NETWORK=network,
            SCHEMA_ADDRESS=node.address)
        result = subprocess.run(
            [sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", "--config-file",
             os.path.join(HERE, "schemathesis.toml"), "run", f"{node.origin}/zt/openapi.json", "--url", node.origin,
             "--header", f"X-ZT1-Auth: {node.token}", "--phases", phases, "--seed", str(seed), "--max-examples",
             str(examples), "--no-color"],
            cwd=node.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        text = counts.read()
    return collections.Counter(json.loads(text) if text else {}), result.stdout, result.returncode == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--zerotier", required=True)
    parser.add_argument("--cases", type=int, default=10_000, help="how many at least")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--examples", type=int, default=100, help="cases of one operation in a round")
    parser.add_argument("--coverage", action="store_true", help="the bounds of every schema before, some ten thousand cases more")
    parser.add_argument("--statuses", action="store_true", help="how often each operation gave each status")
    options = parser.parse_args()
    begin = time.monotonic()
    total, rounds, failed = collections.Counter(), 0, False
    node = world.World(options.zerotier)
    try:
        network = furnish(node)
        phases = ["coverage"] if options.coverage else []
        drawn = 0
        while (phases or drawn < options.cases) and not failed:
            phase = phases.pop() if phases else "examples,fuzzing,stateful"
            counts, text, passed = round_of_cases(node, network, phase, options.seed + rounds, options.examples)
            total.update(counts)
            drawn += 0 if phase == "coverage" else sum(counts.values())
            rounds += 1
            if not passed or not counts:
                failed = True
                print(text)
        if node.raw("GET", "/health")[0] != 200:
            failed = True
            print("the service does not answer any more")
        if node.token in node.processes[1].log():
            failed = True
            print("the token stands in the log")
    finally:
        node.end()
    if options.statuses or failed:
        for name, count in sorted(total.items()):
            print(f"{count:6} {name}")
    statuses = collections.Counter()
    for name, count in total.items():
        statuses[name.split()[-1]] += count
    print(f"{sum(total.values())} cases in {rounds} rounds, {time.monotonic() - begin:.0f} s, of which "
          + ", ".join(f"{count} gave {status}" for status, count in sorted(statuses.items())))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
