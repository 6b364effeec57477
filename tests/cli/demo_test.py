"""Tests of `hawser demo`: that it succeeds when all is well, fails when anything is not, and leaves
nothing behind either way.
"""

import filecmp
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HAWSER = ROOT / "build/release/bin/hawser"  # tests/cli/run sets it
WATCHDOG_S = 120  # a run that takes longer hangs


class DemoTest(unittest.TestCase):
    def setUp(self):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="hawser-demo-test."))
        os.chmod(self.place, 0o755)
        self.mailboxes, self.scratch, self.data = (self.place / n for n in ("shm", "tmp", "data"))
        for directory in (self.mailboxes, self.scratch, self.data):
            directory.mkdir()
            os.chmod(directory, 0o777)
        self.environment = dict(
            os.environ, HAWSER_DIR=str(self.mailboxes), TMPDIR=str(self.scratch)
        )

    def tearDown(self):
        shutil.rmtree(self.place, ignore_errors=True)

    def make_data(self, sizes=(0, 1, 100, 65_488, 65_489, 3_000_000)):
        """Files of these sizes and some small ones, in nested directories."""
        source = random.Random(1)
        for number, size in enumerate([*sizes, *(number * 37 for number in range(60))]):
            directory = self.data / f"d{number % 7}" / "nested"
            directory.mkdir(parents=True, exist_ok=True)
            (directory / f"file {number}").write_bytes(source.randbytes(size))
        (self.data / "link").symlink_to(self.data / "d0/nested/file 0")
        return len(sizes) + 60

    def command(self, *arguments):
        return [str(HAWSER), "demo", *map(str, arguments)]

    def run_demo(self, *arguments, status=0, **extra):
        done = subprocess.run(
            self.command(*arguments),
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=WATCHDOG_S,
            **extra,
        )
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assert_nothing_left()
        return done

    def run_json(self, *arguments, **extra):
        document = json.loads(self.run_demo(*arguments, "--json", **extra).stdout)
        self.assertEqual((document["schema"], document["version"]), ("hawser.demo", 1))
        return document

    def assert_nothing_left(self):
        self.assertEqual(os.listdir(self.mailboxes), [])
        self.assertEqual(os.listdir(self.scratch), [])

    def check_kills(self, document):
        self.assertEqual([kill["role"] for kill in document["kills"]], ["consumer", "producer"])
        messages = document["messages"]
        self.assertEqual(messages["lost"], 0)
        self.assertEqual(messages["delivered"], messages["planned"])
        self.assertGreaterEqual(messages["received"], messages["delivered"])

    # ---- all is well -----------------------------------------------------------------------------

    def test_files_of_all_sizes(self):
        files = self.make_data()
        document = self.run_json(self.data)
        self.assertTrue(document["ok"])
        self.assertEqual(document["files"]["identical"], files)
        self.check_kills(document)

    def test_shapes(self):
        self.make_data()
        for arguments in (
            ("--order", "sender"),
            ("--capacity", 1),
            ("--capacity", 2, "--order", "sender"),
            ("--producers", 1, "--consumers", 1),
            ("--producers", 5, "--consumers", 2),
            ("--message", "1KiB"),
            ("--message", "1MiB"),
            ("--wait", "block"),
        ):
            with self.subTest(arguments=arguments):
                self.check_kills(self.run_json(self.data, *arguments))

    def test_one_empty_file(self):
        (self.data / "empty").touch()
        document = self.run_json(self.data / "empty")
        self.assertEqual(document["files"]["identical"], 1)
        self.assertEqual(document["messages"]["planned"], 1)

    def test_nobody_killed(self):
        self.make_data()
        document = self.run_json(self.data, "--no-kill")
        self.assertEqual(document["kills"], [])
        messages = document["messages"]
        self.assertEqual(messages["sent"], messages["received"])
        self.assertEqual(messages["redelivered"] + messages["duplicates_suppressed"], 0)

    def test_seed_chooses_the_victims(self):
        self.make_data()
        runs = [self.run_json(self.data, "--seed", 7) for _ in range(2)]
        victims = [[(k["role"], k["worker"]) for k in run["kills"]] for run in runs]
        self.assertEqual(victims[0], victims[1])

    def test_default_paths(self):
        document = self.run_json(cwd="/")
        self.assertTrue(document["ok"])
        self.check_kills(document)

    def test_summary_for_people(self):
        self.make_data()
        shown = self.run_demo(self.data).stdout
        for word in ("identical (SHA-256)", "redelivered", "SIGKILL", "p99.9", "MB/s", "ok:"):
            self.assertIn(word, shown)

    def test_verbose_shows_both_digests(self):
        (self.data / "abc").write_text("abc")
        shown = self.run_demo(self.data, "--verbose").stdout
        digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        self.assertEqual(shown.count(digest), 2)

    def test_output_is_kept(self):
        self.make_data()
        results = self.place / "results"
        self.run_demo(self.data, "--output", results)
        for source in self.data.rglob("*"):
            result = results / source.relative_to("/")
            if source.is_file() and not source.is_symlink():
                self.assertTrue(filecmp.cmp(source, result, shallow=False), source)

    # ---- what the user may get wrong -------------------------------------------------------------

    def test_missing_path(self):
        done = self.run_demo(self.place / "nowhere", status=3)
        self.assertIn("nowhere", done.stderr)

    def test_usage(self):
        (self.data / "abc").write_text("abc")
        self.run_demo("--order", "none", status=2)
        self.run_demo("--message", "1B", status=2)
        self.run_demo("--producers", "0", status=2)
        self.run_demo(self.data, "--output", self.data, status=2)
        self.assertTrue((self.data / "abc").exists())

    def test_unreadable_file_is_said(self):
        self.make_data()
        secret = self.data / "secret"
        secret.write_text("secret")
        secret.chmod(0)
        extra = {"user": 65534, "group": 65534} if os.geteuid() == 0 else {}
        done = self.run_demo(self.data, **extra)
        self.assertIn("unreadable", done.stderr)
        self.assertIn(str(secret), done.stderr)

    def test_limit_is_said(self):
        self.make_data()
        done = self.run_demo(self.data, "--limit", "1MB")
        self.assertIn("left out", done.stderr)

    def test_changing_source_is_no_failure(self):
        self.make_data()
        clock = self.data / "clock"
        clock.write_bytes(bytes(8))
        over = threading.Event()

        def write_on():
            with open(clock, "r+b", buffering=0) as out:
                ticks = 0
                while not over.is_set():
                    ticks += 1
                    out.seek(0)
                    out.write(ticks.to_bytes(8, "little"))

        writer = threading.Thread(target=write_on)
        writer.start()
        try:
            files = self.run_json(self.data)["files"]
        finally:
            over.set()
            writer.join()
        self.assertEqual((files["different"], files["source_changed"]), (0, 1))

    # ---- it can fail -----------------------------------------------------------------------------

    def test_one_flipped_bit_fails(self):
        (self.data / "file").write_bytes(bytes(200_000))
        done = self.run_demo(self.data, "--sabotage", "flip", status=1)
        self.assertIn("FAILED: 1 file", done.stdout)

    def test_lost_bytes_fail(self):
        (self.data / "file").write_bytes(random.Random(2).randbytes(200_000))
        document = self.run_json(self.data, "--sabotage", "lose", status=1)
        self.assertFalse(document["ok"])
        self.assertEqual(document["files"]["different"], 1)

    def test_hanging_worker_is_named(self):
        self.make_data()
        done = self.run_demo(self.data, "--sabotage", "hang", "--patience", "1s", status=1)
        self.assertRegex(done.stderr, r"consumer \d \(pid \d+, .*\) held a message")

    def test_failing_worker_is_named(self):
        self.make_data()
        # Without kills: the one that quits may be the one that is to be killed, and then dies expected.
        done = self.run_demo(self.data, "--sabotage", "quit", "--no-kill", status=1)
        self.assertRegex(done.stderr, r"consumer \d \(pid \d+\): ended with status 1")

    # ---- it can be stopped -----------------------------------------------------------------------

    def test_signals_leave_nothing(self):
        self.make_data()
        for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)):
            with self.subTest(signal=number):
                demo = subprocess.Popen(
                    self.command(self.data, "--sabotage", "hang", "--patience", "60s"),
                    env=self.environment,
                    stderr=subprocess.PIPE,
                    text=True,
                    preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
                )
                for line in demo.stderr:
                    if "sending" in line:
                        break
                demo.send_signal(number)
                said = demo.stderr.read()
                self.assertEqual(demo.wait(WATCHDOG_S), status, said)
                self.assert_nothing_left()
