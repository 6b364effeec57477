"""What the tests of the command line share: a private mailbox directory, a watchdog on every
process, and waiting until something is so."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HAWSER = ROOT / "build/release/bin/hawser"  # tests/cli/run sets it from HAWSER_BIN
WATCHDOG_S = 60  # whatever takes longer hangs


class Exit:
    """hawser(1), EXIT STATUS."""

    OK, FAILED, USAGE, NOT_FOUND, TIMED_OUT, PERMISSION, BROKEN, FULL = range(8)
    INTERRUPTED = 130


def is_root():
    return os.geteuid() == 0


class CliTest(unittest.TestCase):
    maxDiff = 2000

    def setUp(self):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="hawser-cli.", dir="/dev/shm"))
        self.addCleanup(shutil.rmtree, self.place)
        self.mailboxes = self.place / "mailboxes"
        self.mailboxes.mkdir()
        self.environment = dict(os.environ, HAWSER_DIR=str(self.mailboxes), LC_ALL="C.UTF-8")
        self.environment.pop("NO_COLOR", None)
        self.running = []

    def tearDown(self):
        self.end_all()
        strange = [name for name in os.listdir(self.mailboxes) if not name.startswith("hawser.")]
        self.assertEqual(strange, [], "files that are no mailboxes were left behind")

    def end_all(self):
        for process in self.running:
            if process.poll() is None:
                process.kill()
            process.communicate(timeout=WATCHDOG_S)

    # ---- running ------------------------------------------------------------------------------

    def hawser(self, *arguments, stdin=b"", status=Exit.OK, **extra):
        """Runs it to its end; checks the exit status; gives (stdout, stderr)."""
        extra.setdefault("env", self.environment)
        command = [str(HAWSER), *map(str, arguments)]
        done = subprocess.run(
            command, input=stdin, capture_output=True, timeout=WATCHDOG_S, **extra
        )
        said = (done.stdout[-2000:] + done.stderr[-2000:]).decode(errors="replace")
        self.assertEqual(done.returncode, status, f"{arguments}: {said}")
        return done.stdout, done.stderr.decode()

    def out(self, *arguments, **extra):
        return self.hawser(*arguments, **extra)[0]

    def err(self, *arguments, **extra):
        return self.hawser(*arguments, **extra)[1]

    def document(self, *arguments, schema, **extra):
        document = json.loads(self.out(*arguments, "--json", **extra))
        self.assertEqual((document["schema"], document["version"]), ("hawser." + schema, 1))
        return document

    def spawn(self, *arguments, **extra):
        """Starts it; it is killed at the end of the test, if it still runs."""
        for stream in ("stdin", "stdout", "stderr"):
            extra.setdefault(stream, subprocess.PIPE)
        process = subprocess.Popen(
            [str(HAWSER), *map(str, arguments)], env=self.environment, **extra
        )
        self.running.append(process)
        return process

    def finish(self, process, stdin=None, status=Exit.OK):
        out, err = process.communicate(stdin, timeout=WATCHDOG_S)
        self.assertEqual(process.returncode, status, (err or b"").decode())
        return out

    # ---- waiting ------------------------------------------------------------------------------

    def info(self, address):
        return self.document("info", address, schema="info")["mailbox"]

    def boxes(self):
        return self.document("ls", schema="ls")["mailboxes"]

    def wait_until(self, condition, what):
        """Each look starts a process, so this is no busy loop."""
        give_up = time.monotonic() + WATCHDOG_S
        while not condition():
            if time.monotonic() > give_up:
                self.fail(f"waited in vain for: {what}")

    def wait_for_participants(self, address, role, count, waiting=None):
        def is_so():
            name = "shm:" + address
            for box in self.boxes():
                if box["address"] == name:
                    there = [p for p in box["participants"] if p["role"] == role and p["alive"]]
                    if waiting is not None:
                        there = [p for p in there if p["waiting"] == waiting]
                    return len(there) == count
            return count == 0

        self.wait_until(is_so, f"{count} {role}s of {address}")

    def wait_for_depth(self, address, depth):
        self.wait_until(
            lambda: any(b["address"] == "shm:" + address and b["depth"] == depth
                        for b in self.boxes()),
            f"{depth} messages in {address}",
        )

    # ---- asserting ----------------------------------------------------------------------------

    def file_of(self, name):
        return self.mailboxes / ("hawser." + name)

    def assert_nothing_left(self):
        self.assertEqual(os.listdir(self.mailboxes), [])
