#!/usr/bin/env python3
"""Interoperability with the real libzt 1.8.4: one line per case, then "N passed, N failed, N skipped".

    interop.py [--list] [--only WORD] [--repeat N] [--zerotier PATH] [--logs DIRECTORY] [--bench FILE]

The exit code is 0 when nothing failed. With CI in the environment a skipped case counts as failed.
README.md says what each part does.
"""

import argparse
import contextlib
import json
import os
import shutil
import sys
import time
import traceback

sys.dont_write_bytecode = True

import lab  # noqa: E402
import ours  # noqa: E402
import real  # noqa: E402

STAGES = []


def stage(*cases, ours=True, library=False, missing=None):
    """Marks a function that sets up one network and runs these cases in it; `ours`: some node in it is ours; `library`:
    it runs programs linked with the C library; `missing`: says why it cannot run, or gives None."""
    def mark(function):
        STAGES.append((function, cases, ours, library, missing))
        return function
    return mark


class Runner:
    def __init__(self, options):
        self.options = options
        self.passed = self.failed = self.skipped = 0
        self.again = self.failed_first = 0
        self.left = []
        self.our_node = ours.make(options.zerotier) if options.zerotier else real.RealNode

    def report(self, result, name, text=""):
        setattr(self, result, getattr(self, result) + 1)
        if name in self.left:
            self.left.remove(name)
        word = {"passed": "pass", "failed": "FAIL", "skipped": "skip"}[result]
        print("%s  %s%s" % (word, name, "  (" + text + ")" if text else ""), flush=True)

    @contextlib.contextmanager
    def case(self, name):
        """The body may append words to what it is given; they are printed with the result."""
        assert name in self.left, name
        notes, start = [], time.monotonic()
        try:
            yield notes
        except Exception as error:  # A case fails alone; the ones after it in the stage still run.
            if not isinstance(error, lab.Failure):
                traceback.print_exc()
            self.report("failed", name, "%s; %.1f s" % (error, time.monotonic() - start))
            self.explain()
        else:
            self.report("passed", name, "; ".join([*notes, "%.1f s" % (time.monotonic() - start)]))

    def explain(self):
        """After a failure: what our nodes counted."""
        for process in list(self.lab.processes):
            if hasattr(process, "counters"):
                print("      %s: %s" % (process.label, process.counters()), flush=True)

    def run(self, function, cases):
        """A stage, and once more if a case of it failed and --retry allows: the real peer's own stalls fail some, and
        everything that failed the first time stays in the output."""
        before = (self.passed, self.failed, self.skipped)
        self.run_once(function, cases)
        for _ in range(self.options.retry):
            if self.failed == before[1]:
                return
            print("again %s: %d of its cases failed" % (function.__name__, self.failed - before[1]), flush=True)
            self.again += 1
            self.failed_first += self.failed - before[1]
            self.passed, self.failed, self.skipped = before
            self.run_once(function, cases)

    def run_once(self, function, cases):
        self.left = list(cases)
        with lab.Lab() as network_lab:
            self.lab = network_lab
            try:
                function(self, network_lab)
            except Exception as error:
                if not isinstance(error, lab.Failure):
                    traceback.print_exc()
                for name in list(self.left):
                    self.report("failed", name, "setup: %s" % error)
                self.explain()
            if self.options.logs:
                target = os.path.join(self.options.logs, function.__name__)
                shutil.copytree(network_lab.directory, target, dirs_exist_ok=True)
        for name in list(self.left):
            self.report("failed", name, "not reached")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true", help="print the names of the cases")
    parser.add_argument("--only", metavar="WORD", help="only stages with a case whose name holds the word")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="run everything N times")
    parser.add_argument("--retry", type=int, default=0, metavar="N", help="run a stage with failures up to N times more")
    parser.add_argument("--zerotier", metavar="PATH", help="our node, a built interop-node; without it only real with real")
    parser.add_argument("--rehearse", action="store_true", help="let real nodes play ours, to test the bench itself")
    parser.add_argument("--logs", metavar="DIRECTORY", help="keep what the nodes wrote")
    parser.add_argument("--bench", metavar="FILE", help="measure the real library with itself instead; JSON (- prints)")
    options = parser.parse_args()
    import cases  # It registers its stages here, so it comes after the definitions above.
    import controlled  # noqa: F401
    import programs
    import resolver  # noqa: F401
    chosen = [stage for stage in STAGES if not options.only or any(options.only in name for name in stage[1])]
    if options.list:
        for _, names, *_ in chosen:
            print("\n".join(names))
        return 0
    runner = Runner(options)
    reason = None
    try:
        real.build()
    except real.Unavailable as error:
        reason = str(error)
    # What is to be downloaded has to come first: the namespaces have no way out.
    reasons = {function: missing() for function, *_, missing in chosen if missing and not options.bench}
    reason = reason or lab.enter_namespaces()
    if options.bench:
        if reason:
            print("skipped: " + reason, file=sys.stderr)
            return 1
        with lab.Lab() as network_lab:
            result = json.dumps(cases.bench(network_lab), indent=2)
        if options.bench == "-":
            print(result)
        else:
            with open(options.bench, "w") as file:
                file.write(result + "\n")
        return 0
    print("peer: libzt 1.8.4 as published, with missing symbols defined and the IPv6 input lock repaired")
    for _ in range(options.repeat):
        for function, names, needs_ours, needs_library, _ in chosen:
            lacking = reason
            if needs_ours and not options.zerotier and not options.rehearse:
                lacking = lacking or "no --zerotier PATH given"
            if needs_library:
                lacking = lacking or ("real nodes cannot play the programs" if options.rehearse else programs.missing())
            lacking = lacking or reasons.get(function)
            if lacking:
                for name in names:
                    runner.report("skipped", name, lacking)
            else:
                runner.run(function, names)
    if runner.again:
        print("%d cases failed at first; their %d stages were run again, see above" % (
            runner.failed_first, runner.again))
    print("%d passed, %d failed, %d skipped" % (runner.passed, runner.failed, runner.skipped))
    strict = bool(os.environ.get("CI"))
    return 1 if runner.failed or (strict and runner.skipped) or not runner.passed + runner.skipped else 0


if __name__ == "__main__":
    sys.modules["interop"] = sys.modules["__main__"]
    sys.exit(main())
