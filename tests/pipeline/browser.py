"""One tab of Chromium, driven through its debugging pipe: https://chromedevtools.github.io/devtools-protocol/."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe", "about:blank"),
)
# Chromium reads commands from descriptor 3 and writes answers to 4, each ended by a zero byte.
LAUNCH = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execvp(sys.argv[3], sys.argv[3:])"
)


class Browser:
    """One tab of a headless Chromium."""

    def __init__(self, profile):
        # From 10 on, so that moving them to 3 and 4 overwrites neither.
        pipes = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for pair in (os.pipe(), os.pipe()) for end in (pair[0], pair[1])]
        read_commands, self._commands, self._answers, write_answers = pipes
        command = [sys.executable, "-c", LAUNCH, str(read_commands), str(write_answers)]
        self._process = subprocess.Popen(
            [*command, shutil.which("chromium"), f"--user-data-dir={profile}", *FLAGS],
            pass_fds=(read_commands, write_answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_commands)
        os.close(write_answers)
        self._rest, self._count, self._session = b"", 0, None
        self.events = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        """Send a command and wait for its answer; what happens meanwhile goes to `events`."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        message |= {"sessionId": self._session} if self._session else {}
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != self._count:
            self.events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def _read(self):
        while b"\0" not in self._rest:
            piece = os.read(self._answers, 65536)
            assert piece, "chromium has ended"
            self._rest += piece
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def open(self, url):
        self.call("Page.navigate", url=url)
        until = time.monotonic() + 30
        while self.evaluate("document.readyState") != "complete" or self.evaluate("location.href") == "about:blank":
            assert time.monotonic() < until, "the page did not load"

    def evaluate(self, expression, wait=False):
        """The value of `expression` or, to `wait`, that of its promise."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=wait)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def resize(self, width):
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 500
        )

    def close(self):
        self._process.terminate()
        self._process.wait(timeout=30)
        os.close(self._commands)
        os.close(self._answers)
