"""Headless Chromium, driven over its DevTools protocol: just what testing a page needs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import websocket

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_ANSWER_S = 30


def find_browser() -> str | None:
    """The path of a Chromium, or None."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


class Page:
    """One tab.

    Attributes:
        problems: console errors, exceptions and failed requests, in order.
        requests: the address of everything that was requested.
    """

    def __init__(self, connection: websocket.WebSocket) -> None:
        self._connection = connection
        self._count = 0
        self._loaded: set[str] = set()
        self.problems: list[str] = []
        self.requests: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        self.send("Page.setLifecycleEventsEnabled", enabled=True)

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and wait for its result."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        self._connection.send(json.dumps(message))
        while True:
            answer = json.loads(self._connection.recv())
            if answer.get("id") == self._count:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self._note(answer)

    def open(self, address: str) -> None:
        """Load a page and wait until it and what it shows are there."""
        self._loaded.clear()
        loader = self.send("Page.navigate", url=address)["loaderId"]
        while loader not in self._loaded:
            self._note(json.loads(self._connection.recv()))

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise is waited for."""
        answer = self.send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True,
            userGesture=True,
        )  # fmt: skip
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"]["description"])
        return answer["result"].get("value")

    def go(self, hash_: str) -> None:
        """Follow a route of the page and wait until it is shown."""
        self.run(f"""new Promise((done) => {{
            if (location.hash === {hash_!r}) return done();
            addEventListener("hashchange", () => setTimeout(done), {{once: true}});
            location.hash = {hash_!r};
        }})""")

    def click(self, selector: str) -> None:
        """Click with the mouse on the first element that a CSS selector names."""
        x, y = self.run(f"""(() => {{
            const element = document.querySelector({selector!r});
            element.scrollIntoView({{block: "nearest", inline: "nearest"}});
            const {{x, y, width, height}} = element.getBoundingClientRect();
            return [x + width / 2, y + height / 2];
        }})()""")
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        self._react()

    def press(self, key: str) -> None:
        """Press a key and let the page react."""
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key)
        self._react()

    def size(self, width: int, height: int = 800) -> None:
        """Show it in a window of this size, below 500 pixels as a phone does."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=width < 500)  # fmt: skip

    def scheme(self, scheme: str) -> None:
        """Prefer "light" or "dark"."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.send("Emulation.setEmulatedMedia", features=[feature])

    def _react(self) -> None:
        """Let the page handle what it was told, a change of its address included."""
        self.run("new Promise((done) => setTimeout(done, 0))")

    def _note(self, event: dict[str, Any]) -> None:
        method, about = event["method"], event["params"]
        if method == "Page.lifecycleEvent" and about["name"] == "load":
            self._loaded.add(about["loaderId"])
        elif method == "Runtime.exceptionThrown":
            self.problems.append(about["exceptionDetails"]["exception"]["description"])
        elif method == "Log.entryAdded" and about["entry"]["level"] in ("error", "warning"):
            self.problems.append(about["entry"]["text"])
        elif method == "Runtime.consoleAPICalled" and about["type"] in ("error", "warning"):
            self.problems.append(str(about["args"]))
        elif method == "Network.loadingFailed":
            self.problems.append(about["errorText"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(about["request"]["url"])


@contextmanager
def browser(program: str) -> Iterator[Page]:
    """Start Chromium with one empty tab; all it writes is removed in the end."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        flags = ["--headless=new", "--remote-debugging-port=0", f"--user-data-dir={profile}",
                 "--no-first-run", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                 "--disable-background-networking", "--disable-component-update"]  # fmt: skip
        if os.geteuid() == 0:
            flags.append("--no-sandbox")  # Chromium refuses to start as root with it
        process = subprocess.Popen(
            [program, *flags, "about:blank"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
            text=True,
        )  # fmt: skip
        try:
            # Once it is up it says: DevTools listening on ws://127.0.0.1:PORT/devtools/...
            said = []
            for line in process.stderr:
                said.append(line)
                if line.startswith("DevTools listening on "):
                    break
            else:
                raise RuntimeError(f"{program} did not start: {''.join(said)[-2000:]}")
            port = urlsplit(line.split()[-1]).port
            with urlopen(f"http://127.0.0.1:{port}/json/list", timeout=_ANSWER_S) as answer:
                tabs = [tab for tab in json.load(answer) if tab["type"] == "page"]
            connection = websocket.create_connection(
                tabs[0]["webSocketDebuggerUrl"], timeout=_ANSWER_S, suppress_origin=True
            )
            try:
                yield Page(connection)
            finally:
                connection.close()
        finally:
            process.terminate()
            process.wait(_ANSWER_S)
            process.stderr.close()
