"""The page as a person uses it: Chromium against a node with its service, in a world of its own.

Each stage stands on the ones before it. `--only WORD` ends after the first one whose name has it."""

import argparse
import os
import sys
import time

from page_tests import Tests
from webdriver import Browser, Failure
from world import World


def run(tests, only):
    for name in [name for name in vars(Tests) if name.startswith("test_")]:
        title = name.removeprefix("test_").replace("_", " ")
        start = time.monotonic()
        try:
            if tests.pictures and name == "test_it_follows_the_service":
                tests.take_pictures()
            getattr(tests, name)()
        except (AssertionError, Failure) as failure:
            print(f"FAILED  {title}: {failure}", flush=True)
            return 1
        print(f"passed  {title} ({time.monotonic() - start:.1f} s)", flush=True)
        if only and only in title:
            return 0
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--zerotier", required=True, help="the program")
    parser.add_argument("--only", help="end after the first stage whose name has this")
    parser.add_argument("--screenshots", help="folder for pictures")
    options = parser.parse_args()
    if options.screenshots:
        os.makedirs(options.screenshots, exist_ok=True)
    start = time.monotonic()
    world = World(options.zerotier)
    try:
        browser = Browser()
        try:
            print(f"Chromium {browser.version}, node {world.address}", flush=True)
            status = run(Tests(browser, world, options.screenshots), options.only)
        finally:
            browser.close()
    finally:
        world.end()
    print(f"{time.monotonic() - start:.1f} s")
    return status


if __name__ == "__main__":
    sys.exit(main())
