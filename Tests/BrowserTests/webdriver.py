"""Chromium by W3C WebDriver, which is JSON over HTTP: https://www.w3.org/TR/webdriver2/."""

import base64
import http.client
import json
import os
import shutil
import subprocess
import tempfile
import time

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
TAB, ENTER, ESCAPE, SPACE, SHIFT, CONTROL = "\ue004", "\ue007", "\ue00c", " ", "\ue008", "\ue009"
HOME, END = "\ue011", "\ue010"
# How long something may take that is to come. Nothing waits for all of it when all is well.
PATIENCE = 30


class Failure(Exception):
    """The browser refused, or something did not come."""


class Element:
    def __init__(self, browser, reference):
        self.browser, self.reference = browser, reference

    def _ask(self, method, path, body=None):
        return self.browser.ask(method, f"/element/{self.reference}{path}", body)

    def click(self):
        # Not behind the bar at the top, nor behind messages.
        self.browser.run("arguments[0].scrollIntoView({ block: 'center' })", self)
        self._ask("POST", "/click", {})

    def clear(self):
        self._ask("POST", "/clear", {})

    def type(self, text):
        self._ask("POST", "/value", {"text": text})

    def text(self):
        return self._ask("GET", "/text")

    def value(self):
        return self._ask("GET", "/property/value")

    def attribute(self, name):
        return self._ask("GET", f"/attribute/{name}")

    def label(self):
        """The name that a screen reader says."""
        return self._ask("GET", "/computedlabel")

    def role(self):
        return self._ask("GET", "/computedrole")


class Browser:
    """A Chromium without a window, with a profile of its own that goes with it."""

    def __init__(self):
        self.profile = tempfile.mkdtemp(prefix="browser-tests-")
        self.log = open(os.path.join(self.profile, "driver.log"), "w+")
        self.driver = subprocess.Popen(
            ["chromedriver", "--port=0"], stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True)
        self.session = None
        try:
            self.port = self._port()
            self._begin()
        except BaseException:
            self.close()
            raise

    def _port(self):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            self.log.flush()
            with open(self.log.name) as log:
                text = log.read()
            if "successfully on port" in text:
                return int(text.split("successfully on port")[1].split(".")[0])
            if self.driver.poll() is not None:
                raise Failure(f"chromedriver ended: {text}")
            time.sleep(0.02)
        raise Failure("chromedriver does not start")

    def _begin(self):
        arguments = [
            "--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--disable-default-apps", "--no-proxy-server", "--lang=en",
            "--hide-scrollbars", f"--user-data-dir={self.profile}/profile", "--window-size=1280,900",
        ]
        if os.getuid() == 0:
            # The sandbox of Chromium does not work for root. All that it loads here is our page.
            arguments.append("--no-sandbox")
        options = {"args": arguments, "prefs": {"profile.default_content_setting_values.clipboard": 1}}
        answer = self._request("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}})
        self.session = answer["sessionId"]
        self.version = answer["capabilities"]["browserVersion"]

    def close(self):
        if self.session:
            try:
                self.ask("DELETE", "")
            except (Failure, OSError, http.client.HTTPException):
                pass
        self.driver.terminate()
        self.driver.wait()
        self.log.close()
        shutil.rmtree(self.profile, ignore_errors=True)

    def _request(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(
                method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())["value"]
        finally:
            connection.close()
        if isinstance(answer, dict) and "error" in answer and "stacktrace" in answer:
            raise Failure(f"{method} {path}: {answer['error']}: {answer['message'].splitlines()[0]}")
        return answer

    def ask(self, method, path, body=None):
        return self._request(method, f"/session/{self.session}{path}", body)

    # Pages

    def go(self, url):
        self.ask("POST", "/url", {"url": url})

    def url(self):
        return self.ask("GET", "/url")

    def title(self):
        return self.ask("GET", "/title")

    def source(self):
        return self.ask("GET", "/source")

    def run(self, script, *arguments):
        """The value of a script's `return`; promises are awaited."""
        return self._value(self.ask("POST", "/execute/sync", {
            "script": script, "args": [{ELEMENT: a.reference} if isinstance(a, Element) else a for a in arguments]}))

    def _value(self, value):
        if isinstance(value, dict) and ELEMENT in value:
            return Element(self, value[ELEMENT])
        if isinstance(value, list):
            return [self._value(one) for one in value]
        return value

    def all(self, selector):
        return [self._value(one) for one in self.ask(
            "POST", "/elements", {"using": "css selector", "value": selector})]

    def wait(self, body, what):
        """What `body` gives as soon as it is true. Waits while it is not, or while what it looks at is being made."""
        end, problem = time.monotonic() + PATIENCE, None
        while time.monotonic() < end:
            try:
                found = body()
                if found:
                    return found
                problem = None
            except (Failure, AssertionError) as failure:
                problem = failure
            time.sleep(0.03)
        raise Failure(f"{what} did not come: {problem or self.run('return document.body.innerText')[:2000]}")

    def named(self, selector, name, inside="body"):
        """The visible element of a kind whose text or label has `name`."""
        found = self.run(
            "const [inside, selector, name] = arguments;"
            "for (const root of document.querySelectorAll(inside)) for (const one of root.querySelectorAll(selector)) {"
            "  if (!one.checkVisibility()) continue;"
            "  const label = one.getAttribute('aria-label') ?? (one.labels?.[0] ?? one).textContent;"
            "  if (label.includes(name)) return one;"
            "} return null;", inside, selector, name)
        return found

    def see(self, selector, name, inside="body"):
        return self.wait(lambda: self.named(selector, name, inside), f"{selector} “{name}”")

    def press(self, name, inside="body"):
        self.see("button, a, summary", name, inside).click()

    def fill(self, label, text, inside="body"):
        field = self.see("input, textarea", label, inside)
        field.clear()
        field.type(text)

    def says(self, text):
        self.wait(lambda: text in self.run("return document.body.innerText"), f"“{text}”")

    def missing(self, text):
        self.wait(lambda: text not in self.run("return document.body.innerText"), f"the end of “{text}”")

    # Keys

    def keys(self, *keys):
        """Presses keys as a person does: to what has the focus."""
        actions = []
        for key in keys:
            held, plain = key[:-1], key[-1]
            actions += [{"type": "keyDown", "value": one} for one in held]
            actions += [{"type": "keyDown", "value": plain}, {"type": "keyUp", "value": plain}]
            actions += [{"type": "keyUp", "value": one} for one in reversed(held)]
        self.ask("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def write(self, text):
        """Types a text to what has the focus."""
        self.keys(*text)

    def focused(self):
        return self.run("return document.activeElement")

    def focused_name(self):
        return self.run(
            "const e = document.activeElement;"
            "if (e.matches('body, main')) return '';"
            "return e.getAttribute('aria-label') ?? (e.labels?.[0] ?? e).textContent;")

    # What it looks like

    def command(self, name, **arguments):
        return self.ask("POST", "/goog/cdp/execute", {"cmd": name, "params": arguments})

    def scheme(self, name):
        self.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def size(self, width, height, is_phone=False):
        self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=is_phone)

    def screenshot(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.ask("GET", "/screenshot")))

    # What it did

    def entries(self, kind):
        """What was logged since it was asked last."""
        return self.ask("POST", "/se/log", {"type": kind})
