"""The stages of the tests of the page. Each stands on the ones before it."""

import json
import os
import time

import accessibility
from person import RULES, Person
from webdriver import CONTROL, END, ENTER, ESCAPE, HOME, SHIFT, SPACE, TAB

POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
          "base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
APP = os.path.join(os.path.dirname(__file__), "..", "..", "Sources", "ZeroTierService", "App")
MARKUP = "<img src=x onerror=\"window.stolen=1\"><script>window.stolen=1</script><b id=stolen>&amp;"
RIGHT_TO_LEFT = "\u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd"
TURNED = "in\u202enimda\u2066\u200f"
LONG = "x" * 10_000


class Tests(Person):
    def test_files_need_no_token_and_say_what_may_run(self):
        for name in sorted(os.listdir(APP)) + [""]:
            status, headers, body = self.world.raw("GET", "/app/" + name)
            assert status == 200, (name, status)
            with open(os.path.join(APP, name or "index.html"), "rb") as file:
                assert body == file.read(), f"{name} is another file than in the sources: build the program"
            assert headers["content-security-policy"] == POLICY, (name, headers)
            assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer", headers
            assert "cache-control" in headers and "set-cookie" not in headers, headers
            kinds = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml", "html": "text/html", "": "text/html"}
            assert headers["content-type"].split(";")[0] == kinds[name.rpartition(".")[2]], headers
        status, headers, _ = self.world.raw("GET", "/app")
        assert (status, headers["location"]) == (308, "app/")
        for path in ["/app/nothing.js", "/app/../status", "/app/%2e%2e/status", "/app/index.html/"]:
            assert self.world.raw("GET", path)[0] in (401, 404), path
        assert self.world.raw("GET", "/app/", headers={"Host": "stranger.example"})[0] == 403
        assert self.world.raw("GET", "/app/", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"})[0] == 403
        # A link on another page may lead here.
        assert self.world.raw("GET", "/app/", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"})[0] == 200

    def test_the_token_is_asked_for_once_and_stays_in_the_tab(self):
        browser = self.browser
        browser.go(self.world.origin + "/app/")
        browser.see("h1", "Sign in")
        accessibility.check(browser, "sign in")
        browser.fill("Token", "a" * 24)
        browser.press("Sign in")
        browser.says("does not take this token")
        assert browser.run("return sessionStorage.length") == 0
        browser.fill("Token", self.world.token)
        browser.press("Sign in")
        browser.see("h1", "Networks")
        browser.go(self.world.origin + "/app/")
        browser.see("h1", "Networks")
        kept = self.kept()
        assert kept[0] == 0 and kept[1] == "" and kept[3:] == [0, 0, ""], kept
        assert json.loads(kept[2]) == {"zerotier.token": self.world.token}
        assert self.world.token not in browser.source() and self.world.token not in browser.url()

    def test_a_network_is_made(self):
        browser = self.browser
        browser.says("No network yet")
        browser.press("Make the first network")
        browser.fill("Name", "Workshop", "dialog")
        browser.fill("IPv4 subnet", "10.147.17", "dialog")
        accessibility.check(browser, "new network")
        browser.press("Make the network", "dialog")
        browser.see("dialog [role=alert]", "10.147.17.0/24")
        browser.fill("IPv4 subnet", "10.147.17.0/24", "dialog")
        browser.press("Make the network", "dialog")
        browser.see("h1", "Workshop")
        self.network = browser.wait(lambda: browser.url().partition("#/networks/")[2][:16], "an ID")
        record = self.record()
        assert record["name"] == "Workshop" and record["private"] and record["v4AssignMode"] == {"zt": True}
        assert record["routes"] == [{"target": "10.147.17.0/24", "via": None}]
        assert record["ipAssignmentPools"] == [{"ipRangeStart": "10.147.17.1", "ipRangeEnd": "10.147.17.254"}]
        browser.says("No member yet")
        browser.says(f"zerotier-cli join {self.network}")

    def test_a_node_waits_is_let_in_and_is_reached_directly(self):
        browser = self.browser
        self.first = self.world.member("first", self.network)
        self.row_says(self.first, "waiting")
        browser.says("1 node waits to be let in")
        browser.wait(lambda: self.first in browser.run("return document.getElementById('announcer').textContent"),
                     "what a screen reader says")
        switch = browser.see("input[role=switch]", f"Let {self.first} in")
        assert switch.role() == "switch" and not self.member_record(self.first)["authorized"]
        switch.click()
        browser.says(f"{self.first} is let in")
        assert self.member_record(self.first)["authorized"]
        self.row_says(self.first, "10.147.17.")
        self.row_says(self.first, "direct")
        self.row_says(self.first, "127.0.0.1/")
        self.row_says(self.first, "ms")
        browser.missing("waiting")
        browser.missing("unknown")

    def test_what_is_destroyed_can_be_undone(self):
        browser = self.browser
        browser.see("input[role=switch]", f"Let {self.first} in").click()
        browser.says(f"{self.first} is let out")
        assert not self.member_record(self.first)["authorized"]
        browser.press(f"Undo: {self.first} is let out")
        browser.wait(lambda: self.member_record(self.first)["authorized"], "the undoing")
        browser.press(f"Edit {self.first}")
        browser.fill("Name", "Ana's laptop", "dialog")
        accessibility.check(browser, "a member")
        browser.press("Save", "dialog")
        self.row_says(self.first, "Ana's laptop")
        before = self.member_record(self.first)
        browser.press("Delete Ana's laptop")
        browser.press("Cancel", "dialog")
        assert self.member_record(self.first) == before
        browser.press("Delete Ana's laptop")
        accessibility.check(browser, "a question")
        browser.press("Delete", "dialog")
        browser.press("Undo: Ana's laptop is deleted")
        self.row_says(self.first, "Ana's laptop")
        browser.wait(lambda: self.member_record(self.first)["authorized"], "the member")
        after = self.member_record(self.first)
        assert after["ipAssignments"] == before["ipAssignments"] and after["name"] == before["name"]

    def test_what_a_person_writes_stays(self):
        browser = self.browser
        self.part("Settings")
        name = browser.see("input", "Name")
        name.type(" of Ana")
        self.world.ask("POST", f"/controller/network/{self.network}", {"name": "Shed", "mtu": 2000})
        browser.see("h1", "Shed")
        browser.wait(lambda: browser.see("input", "MTU").value() == "2000", "the other field")
        assert name.value() == "Workshop of Ana"
        assert browser.run("return document.activeElement === arguments[0]", name)
        browser.press("Save")
        browser.see("h1", "Workshop of Ana")
        browser.press("Undo: Settings saved")
        browser.see("h1", "Shed")
        browser.fill("MTU", "100")
        browser.press("Save")
        browser.see("form [role=alert]", "mtu")
        browser.fill("MTU", "2800")
        browser.fill("Name", "Workshop")
        browser.press("Save")
        browser.see("h1", "Workshop")
        browser.wait(lambda: self.record()["mtu"] == 2800, "the settings")

    def test_rules_have_their_errors_at_the_line(self):
        browser = self.browser
        self.part("Rules")
        area = browser.see("textarea", "Rules of the network")
        browser.wait(lambda: area.value() == "accept;\n", "the rules in force")
        area.clear()
        area.type(RULES.replace("ethertype arp", "ethertipe arp"))
        fault = browser.see("li button", "Line 4, column 11")
        browser.says("did you mean ethertype?")
        assert browser.run("return document.querySelector('.gutter .bad').textContent") == "4"
        assert area.attribute("aria-invalid") == "true"
        accessibility.check(browser, "rules with a fault")
        browser.press("Save the rules")
        browser.see("form [role=alert]", "Not saved. Line 4, column 11")
        assert self.record()["rules"] == [{"not": False, "or": False, "type": "ACTION_ACCEPT"}]
        fault.click()
        place = RULES.index("ethertype arp")
        assert browser.run("return document.activeElement.selectionStart") == place
        # The draft waits while another part is looked at.
        self.part("Members")
        self.part("Rules")
        area = browser.see("textarea", "Rules of the network")
        browser.wait(lambda: "ethertipe" in area.value(), "the draft")
        area.clear()
        area.type(RULES)
        browser.says("Not saved yet")
        browser.press("Save the rules")
        browser.says("The rules are in force")
        record = self.record()
        assert record["rulesSource"] == RULES and [rule["type"] for rule in record["rules"]] == [
            "MATCH_ETHERTYPE", "MATCH_ETHERTYPE", "ACTION_DROP", "MATCH_IP_DEST_PORT_RANGE", "ACTION_DROP", "ACTION_ACCEPT"]

    def test_a_frame_is_tried(self):
        browser = self.browser
        browser.fill("Source address", "10.147.17.5")
        browser.fill("Destination address", "10.147.17.9")
        browser.fill("Destination port", "23")
        browser.press("Try the frame")
        browser.see(".verdict h3", "Not delivered")
        browser.says("dropped in line 8 by drop dport 23;")
        browser.see(".steps .decided", "drop")
        accessibility.check(browser, "a frame")
        browser.fill("Destination port", "22")
        browser.press("Try the frame")
        browser.see(".verdict h3 .ok", "Delivered")
        browser.says("accepted in line 10")
        browser.fill("Destination port", "many")
        browser.press("Try the frame")
        browser.see("form [role=alert]", "destinationPort")
        browser.fill("Destination port", "22")

    def test_rules_of_other_tools_are_shown_as_text(self):
        browser = self.browser
        self.world.ask("POST", f"/controller/network/{self.network}", {
            "rules": [{"type": "MATCH_ETHERTYPE", "etherType": 2054}, {"type": "ACTION_DROP"}, {"type": "ACTION_ACCEPT"}],
            "rulesSource": "#"})
        area = browser.see("textarea", "Rules of the network")
        browser.wait(lambda: "drop ethertype arp;" in area.value(), "the other rules")
        self.world.ask("POST", f"/controller/network/{self.network}", {"rulesSource": RULES})
        browser.wait(lambda: area.value() == RULES, "the text")

    def test_addresses_and_routes(self):
        browser = self.browser
        self.part("Addresses")
        browser.fill("IPv4 subnet", "10.50.0.0/30")
        browser.press("Use this subnet")
        self.row("10.50.0.1")
        assert {"ipRangeStart": "10.50.0.1", "ipRangeEnd": "10.50.0.2"} in self.record()["ipAssignmentPools"]
        browser.press("Remove 10.50.0.1 10.50.0.2")
        browser.says("10.50.0.1 is removed")
        assert len(self.record()["ipAssignmentPools"]) == 1
        browser.press("Undo: 10.50.0.1 is removed")
        browser.wait(lambda: len(self.record()["ipAssignmentPools"]) == 2, "the pool")
        browser.fill("Target", "172.16.5.0/24")
        browser.fill("Gateway", "10.147.17.9")
        browser.press("Add", "section:has(input):nth-of-type(4)")
        self.row("172.16.5.0/24")
        browser.fill("First address", "fe80::xyz")
        browser.fill("Last address", "fe80::9")
        browser.press("Add", "section:nth-of-type(3)")
        browser.see("form [role=alert]", "ipRangeStart")
        browser.fill("Name servers", "10.147.17.1")
        browser.fill("Domain", "workshop.home.arpa")
        browser.press("Save")
        browser.wait(lambda: self.record()["dns"] == {"domain": "workshop.home.arpa", "servers": ["10.147.17.1"]}, "the names")
        browser.see("input", "RFC 4193").click()
        browser.wait(lambda: self.record()["v6AssignMode"]["rfc4193"], "the scheme")

    def test_peers_have_path_latency_and_graphs(self):
        browser = self.browser
        self.visit("#/peers", "Peers")
        self.row_says(self.first, "direct")
        self.row_says(self.first, "127.0.0.1/")
        self.row_says(self.first, " ms")
        for peer in self.world.ask("GET", "/peer"):
            self.row_says(peer["address"], peer["version"])
        browser.says("Received")
        drawn = "return [...document.querySelectorAll('svg.graph')].map((one) => [one.getAttribute('aria-label'), one.querySelector('.line').getAttribute('d')])"
        browser.wait(lambda: any("Latency" in label and "now" in label and line for label, line in browser.run(drawn)), "a line of latency")
        browser.wait(lambda: any(label.startswith("Received") and "now" in label and "/s" in label and line
                                 for label, line in browser.run(drawn)), "a line of traffic")

    def test_this_node_and_its_networks(self):
        browser = self.browser
        self.visit("#/node", "This node")
        browser.says(self.world.address)
        browser.wait(lambda: browser.run("return document.querySelector('.facts .chip')?.textContent") == "online", "online")
        browser.fill("Network ID", "123")
        browser.press("Join")
        browser.see("form [role=alert]", "16 hexadecimal digits")
        browser.fill("Network ID", self.network)
        browser.press("Join")
        self.row_says(self.network, "waits to be let in")
        self.world.ask("POST", f"/controller/network/{self.network}/member/{self.world.address}", {"authorized": True})
        self.row_says(self.network, "10.147.17.")
        accessibility.check(browser, "this node")
        browser.press(f"Leave {self.network}")
        browser.press("Leave", "dialog")
        browser.says("This node has joined no network")
        browser.press("Undo: Left")
        self.row_says(self.network, "10.147.17.")
        browser.press(f"Leave {self.network}")
        browser.press("Leave", "dialog")
        browser.says("This node has joined no network")
        self.world.ask("DELETE", f"/controller/network/{self.network}/member/{self.world.address}")

    def test_keyboard_alone(self):
        browser = self.browser
        browser.go(self.world.origin + "/app/")
        browser.see("h1", "Networks")
        browser.wait(lambda: browser.focused_name() == "Networks", "the focus on the heading")
        self.tab("Skip to the content", back=True)
        browser.keys(ENTER)
        assert browser.run("return document.activeElement.id") == "main"
        self.tab("New network")
        browser.keys(ENTER)
        browser.see("dialog", "New network")
        browser.write("Garden")
        browser.keys(ENTER)
        browser.see("h1", "Garden")
        garden = browser.wait(lambda: browser.url().partition("#/networks/")[2][:16], "an ID")
        assert garden != self.network
        second = self.world.member("second", garden)
        self.row_says(second, "waiting")
        self.tab(f"Let {second} in")
        browser.keys(SPACE)
        browser.says(f"{second} is let in")
        self.row_says(second, "direct")
        # Rows move, and the focus stays.
        assert browser.focused_name() == f"Let {second} in"
        self.tab("Rules")
        browser.keys(ENTER)
        browser.see("textarea", "Rules of the network")
        browser.wait(lambda: browser.see("textarea", "Rules").value() == "accept;\n", "the rules")
        self.tab("Rules of the network")
        browser.keys(CONTROL + "a")
        browser.write("accept;\ndrop nothing;")
        browser.see("li button", "Line 2, column 6")
        self.tab("Line 2, column 6")
        browser.keys(ENTER)
        assert browser.run("return document.activeElement.selectionStart") == len("accept;\ndrop ")
        browser.keys(SHIFT + END)
        browser.write("dport 23;")
        browser.keys(CONTROL + HOME)
        browser.says("Not saved yet")
        self.tab("Save the rules")
        browser.keys(ENTER)
        browser.says("The rules are in force")
        assert len(self.record(garden)["rules"]) == 3
        self.tab("Settings", back=True)
        browser.keys(ENTER)
        browser.see("button", "Delete this network")
        self.tab("Delete this network")
        browser.keys(ENTER)
        browser.see("dialog", "Delete the network?")
        assert browser.focused_name() == "Cancel"
        browser.keys(ESCAPE)
        browser.wait(lambda: not browser.all("dialog"), "the end of the question")
        assert "Delete this network" in browser.focused_name()
        browser.keys(ENTER)
        browser.see("dialog", "Delete the network?")
        browser.keys(TAB, ENTER)
        browser.see("h1", "Networks")
        assert garden not in self.world.ask("GET", "/controller/network")
        self.tab("Undo: Deleted Garden")
        browser.keys(ENTER)
        self.row("Garden")
        browser.wait(lambda: self.member_record(second, garden)["authorized"], "the member")
        assert self.record(garden)["rulesSource"] == "accept;\ndrop dport 23;"
        self.garden = garden

    def test_names_of_others_are_text(self):
        browser = self.browser
        hostile = self.world.ask("POST", f"/controller/network/{self.world.address}______", {
            "name": MARKUP[:127], "rulesSource": f"# {MARKUP}\n# {LONG}\naccept;", "rules": [{"type": "ACTION_ACCEPT"}],
            "dns": {"domain": "\"><script>window.stolen=1</script>", "servers": []}})["id"]
        for address, name in [("1111111111", MARKUP), ("2222222222", RIGHT_TO_LEFT), ("3333333333", TURNED), ("4444444444", "x" * 255)]:
            self.world.ask("POST", f"/controller/network/{hostile}/member/{address}", {"name": name, "authorized": True})
        status, _, text = self.world.raw("POST", f"/controller/network/{hostile}/member/5555555555",
                                         json.dumps({"name": LONG}), {"X-ZT1-Auth": self.world.token})
        assert status == 400 and b"name" in text, (status, text)
        self.visit("#/networks", "Networks")
        self.row(MARKUP[:100])
        self.visit(f"#/networks/{hostile}", MARKUP[:100])
        texts = browser.wait(lambda: browser.run("return [...document.querySelectorAll('tbody .name')].map((one) => one.textContent)"), "names")
        assert texts == [MARKUP, RIGHT_TO_LEFT, "in\ufffdnimda\ufffd\ufffd", "x" * 255], texts
        # What turns the text around a name stays within it.
        assert set(browser.run("return [...document.querySelectorAll('tbody .name')].map((one) => getComputedStyle(one).unicodeBidi)")) == {"isolate"}
        browser.press(f"Delete {MARKUP[:30]}")
        browser.see("dialog p", MARKUP[:30])
        self.unharmed()
        browser.press("Delete", "dialog")
        browser.see(".toast", MARKUP[:30])
        self.unharmed()
        for part in ["addresses", "rules", "settings"]:
            self.visit(f"#/networks/{hostile}/{part}", MARKUP[:100])
            browser.see("nav.tabs a[aria-current]", part.capitalize())
            time.sleep(0.1)
            self.unharmed()
        self.visit(f"#/networks/{hostile}/rules")
        browser.wait(lambda: MARKUP in browser.see("textarea", "Rules").value() and LONG in browser.see("textarea", "Rules").value(), "the source")
        browser.see("textarea", "Rules").type("drop dport \"<img src=x onerror=window.stolen=1>")
        browser.see(".problems li", "<img")
        self.unharmed()
        browser.press("Discard changes")
        self.world.ask("DELETE", f"/controller/network/{hostile}")
        browser.says("There is no such network")

    def test_texts_of_any_length_find_room(self):
        """Longer than the service lets any be: the page does not rely on that."""
        browser = self.browser
        self.visit("#/networks", "Networks")
        self.lengthen(MARKUP + LONG)
        try:
            for width in [1280, 360]:
                browser.size(width, 800)
                for place in ["#/networks", f"#/networks/{self.network}/members", f"#/networks/{self.network}/settings", "#/peers", "#/node"]:
                    self.visit(place)
                    browser.wait(lambda: LONG in browser.run("return document.body.textContent + document.querySelector('input')?.value"), f"a long text at {place}")
                    wide = browser.run("return [document.documentElement.scrollWidth, innerWidth]")
                    assert wide[0] <= wide[1], (place, wide)
                    self.unharmed()
        finally:
            browser.size(1280, 900)
            browser.go(self.world.origin + "/app/")

    def test_everybody_can_read_it(self):
        browser = self.browser
        places = [("#/networks", "Networks"), (f"#/networks/{self.network}/members", "Workshop"), (f"#/networks/{self.network}/addresses", "Workshop"),
                  (f"#/networks/{self.network}/rules", "Workshop"), (f"#/networks/{self.network}/settings", "Workshop"), ("#/peers", "Peers"), ("#/node", "This node")]
        try:
            for scheme in ["light", "dark"]:
                browser.scheme(scheme)
                for width, height, is_phone in [(1280, 900, False), (360, 780, True)]:
                    browser.size(width, height, is_phone)
                    for place, heading in places:
                        self.visit(place, heading)
                        browser.wait(lambda: not browser.run("return document.querySelector('main').innerText.includes('…\\n')"), "the content")
                        time.sleep(0.1)
                        accessibility.check(browser, f"{place}, {scheme}, {width}")
                        assert browser.run("return document.getElementById('live').textContent") == "Live", place
        finally:
            browser.scheme("light")
            browser.size(1280, 900)

    def test_it_follows_the_service(self):
        """Events come while a page is seen, and the page says when none do."""
        browser = self.browser
        self.visit(f"#/networks/{self.network}/members", "Workshop")
        browser.wait(lambda: browser.run("return document.getElementById('live').textContent") == "Live", "“Live”")
        # Less than the five seconds of a round: told, not asked for.
        for turn in range(3):
            self.world.ask("POST", f"/controller/network/{self.network}", {"name": f"Turn {turn}"})
            start = time.monotonic()
            browser.see("h1", f"Turn {turn}")
            fast = time.monotonic() - start < 2
            if fast:
                break
        assert fast, "changes come late, three times"
        self.world.ask("POST", f"/controller/network/{self.network}", {"name": "Workshop"})
        browser.see("h1", "Workshop")

    def test_signing_out_forgets_the_token(self):
        browser = self.browser
        browser.press("Sign out")
        browser.see("h1", "Sign in")
        assert browser.run("return [sessionStorage.length, localStorage.length]") == [0, 0]
        browser.run("location.hash = '#/peers'")
        browser.go(self.world.origin + "/app/#/peers")
        browser.see("h1", "Sign in")

    def test_no_log_has_the_token(self):
        browser = self.browser
        asked = 0
        for entry in browser.entries("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                request = message["params"]["request"]
                # The browser's own first page.
                if message["params"]["documentURL"].startswith("chrome:"):
                    continue
                asked += 1
                assert self.world.token not in request["url"] and self.world.token not in message["params"]["documentURL"]
                assert request["url"].startswith(self.world.origin) or request["url"].startswith(("about:", "data:")), request["url"]
                assert not request["headers"].get("Referer"), request["headers"]
        assert asked > 50, asked
        for entry in browser.entries("browser"):
            assert self.world.token not in entry["message"]
            expected = ["status of 401", "status of 400", "status of 404"]
            # The browser's own first page.
            if entry["message"].startswith("chrome:"):
                continue
            assert any(text in entry["message"] for text in expected), entry["message"]
        for process in self.world.processes:
            assert self.world.token not in process.log()
