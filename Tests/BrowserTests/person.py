"""What a person does with the page, in larger steps than keys and clicks."""

import os
import time

import accessibility
from webdriver import SHIFT, TAB, Failure

RULES = """# Only IPv4 and what finds its members.
drop
  not ethertype ipv4
  and not ethertype arp
;

# No telnet.
drop dport 23;

accept;
"""


class Person:
    def __init__(self, browser, world, pictures):
        self.browser, self.world, self.pictures = browser, world, pictures
        self.network = None

    # Ways of a person

    def visit(self, hash, heading=None):
        self.browser.run("location.hash = arguments[0]", hash)
        return self.browser.see("h1", heading) if heading else None

    def part(self, name):
        self.browser.press(name, "nav.tabs")
        self.browser.see("nav.tabs a[aria-current]", name)

    def record(self, network=None):
        return self.world.ask("GET", f"/controller/network/{network or self.network}")

    def member_record(self, address, network=None):
        return self.world.ask("GET", f"/controller/network/{network or self.network}/member/{address}")

    def row(self, address):
        """The row of the table that shows an address."""
        return self.browser.wait(lambda: self.browser.run(
            "return [...document.querySelectorAll('tbody tr')].find((row) => row.checkVisibility() && row.textContent.includes(arguments[0]))",
            address), f"a row of {address}")

    def row_says(self, address, text):
        self.browser.wait(lambda: text in self.browser.run(
            "return [...document.querySelectorAll('tbody tr')].filter((row) => row.textContent.includes(arguments[0])).map((row) => row.innerText).join()",
            address), f"“{text}” beside {address}")

    def take_pictures(self):
        """Makes the pictures of the documentation: a network with some life on it."""
        browser, members = self.browser, f"#/networks/{self.network}/members"
        for name, title in [("third", "Home server"), ("fourth", "Ben's phone")]:
            address = self.world.member(name, self.network)
            self.world.ask("POST", f"/controller/network/{self.network}/member/{address}", {"name": title, "authorized": True})
        self.world.member("fifth", self.network)
        self.visit("#/peers", "Peers")
        for turn in range(45):
            # Changes are told to the members, more of them now and then.
            for change in range((turn * turn) % 7):
                self.world.ask("POST", f"/controller/network/{self.network}", {"multicastLimit": 33 + change})
            time.sleep(1)
        pictures = [
            ("page-members-light", members, "light", 1280, 760, False), ("page-peers-dark", "#/peers", "dark", 1280, 760, False),
            ("page-members-phone", members, "light", 390, 844, True), ("page-rules-fault", members.replace("members", "rules"), "light", 1280, 900, False),
        ]
        for name, place, scheme, width, height, is_phone in pictures:
            browser.scheme(scheme)
            browser.size(width, height, is_phone)
            self.visit(place)
            if name == "page-rules-fault":
                area = browser.see("textarea", "Rules of the network")
                browser.wait(lambda: area.value() == RULES, "the rules")
                area.clear()
                area.type(RULES.replace("ethertype arp", "ethertipe arp"))
                browser.see("li button", "Line 4, column 11")
            time.sleep(1)
            browser.run("scrollTo(0, 0); document.getElementById('toasts').replaceChildren()")
            time.sleep(0.2)
            browser.screenshot(os.path.join(self.pictures, name + ".png"))
            if name == "page-rules-fault":
                browser.press("Discard changes")
        browser.scheme("light")
        browser.size(1280, 900)

    def tab(self, name, back=False):
        """By the tabulator to what is called so; what has the focus is always to be seen."""
        browser, seen = self.browser, []
        for _ in range(120):
            browser.keys(SHIFT + TAB if back else TAB)
            label = browser.focused_name()
            if browser.run("return document.activeElement !== document.body && !document.activeElement.matches('main, h1')"):
                assert browser.run(accessibility.FOCUS), f"nobody sees that “{label[:60]}” has the focus"
            if name in label:
                return
            seen.append(label[:30])
        raise Failure(f"the tabulator does not lead to “{name}”, but to {seen}")

    def unharmed(self):
        found = self.browser.run(
            "return [window.stolen ?? null, document.querySelectorAll('#stolen, main img, dialog img, main script, .toasts img, script:not([src])').length,"
            " document.querySelectorAll('[onerror], [onclick], [onload]').length]")
        assert found == [None, 0, 0], found

    def lengthen(self, text):
        """Makes every name and version that the service sends this text, until the page is loaded anew."""
        self.browser.run("""
            const real = window.fetch;
            window.fetch = async (...all) => {
              const answer = await real(...all);
              if (!answer.headers.get("content-type")?.includes("json")) return answer;
              const text = (await answer.text()).replace(/"(name|version)":\\s*"(?:[^"\\\\]|\\\\.)*"/g, (_, key) => `"${key}":${JSON.stringify(arguments[0])}`);
              return new Response(text, { status: answer.status, headers: answer.headers });
            };""", text)

    def kept(self):
        """All that the page has put somewhere: numbers of entries, cookies, and what is in the session's storage."""
        return self.browser.run(
            "return (async () => [localStorage.length, document.cookie, JSON.stringify({ ...sessionStorage }),"
            " (await indexedDB.databases()).length, (await caches.keys()).length, name])()")
