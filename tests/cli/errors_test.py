"""Every exit status but that of wrong command lines: what the world and other processes do."""

import json
import os
import shutil
import signal
import struct
import subprocess

import support
from support import CliTest, Exit, is_root

MEBIBYTE = 1 << 20


class ErrorsTest(CliTest):
    def failure(self, *arguments, status, code=None, **extra):
        """The error as JSON, after a look at its form as text."""
        said = self.err(*arguments, status=status, **extra)
        self.assertRegex(said, r"\Ahawser: ")
        error = json.loads(self.err(*arguments, "--json", status=status, **extra))
        self.assertEqual((error["schema"], error["version"]), ("hawser.error", 1))
        self.assertEqual(error["exit"], status)
        if code is not None:
            self.assertEqual(error["code"], code)
            self.assertIn(f"  try: {error['next']}\n", said)
        return error

    def test_not_found(self):
        for verb in ("info", "stat", "rm", "doctor"):
            error = self.failure(verb, "nowhere", status=Exit.NOT_FOUND, code="not_found")
            self.assertEqual((error["address"], error["next"]), ("shm:nowhere", "hawser ls"))

    def test_create_open_makes_none(self):
        for verb in ("send", "receive"):
            self.failure(verb, "nowhere", "--create", "open", status=Exit.NOT_FOUND)
        self.assert_nothing_left()

    def test_create_create_refuses_what_is_there(self):
        self.hawser("send", "box", "-m", "x")
        self.failure("send", "box", "--create", "create", status=Exit.FAILED, code="already_exists")

    def test_another_geometry(self):
        self.hawser("send", "box?capacity=3", "-m", "x")
        error = self.failure("send", "box?capacity=4", status=Exit.FAILED, code="already_exists")
        self.assertIn("capacity=3", error["message"])

    def test_a_file_that_is_not_there(self):
        self.failure("send", "box", self.place / "nowhere", status=Exit.NOT_FOUND)
        self.failure("send", "box", self.place, status=Exit.FAILED)
        self.assert_nothing_left()

    def test_receive_timed_out(self):
        self.failure("receive", "box", "--timeout", "20ms", status=Exit.TIMED_OUT, code="timed_out")

    def test_send_timed_out(self):
        self.hawser("send", "box?capacity=1", "-m", "x")
        self.failure("send", "box", "-m", "y", "--timeout", "20ms", status=Exit.TIMED_OUT,
                     code="timed_out")

    def test_full(self):
        self.hawser("send", "box?capacity=1", "-m", "x")
        for where in (["box", "--full", "fail"], ["box?full=fail"]):
            self.failure("send", *where, "-m", "y", status=Exit.FULL, code="would_block")
        self.assertEqual(self.info("box")["depth"], 1)

    def test_no_participant_slot(self):
        self.spawn("receive", "box?participants=2")
        self.spawn("receive", "box?participants=2")
        self.wait_for_participants("box", "receiver", 2)
        self.failure("receive", "box", status=Exit.FULL, code="no_space")

    def test_too_big(self):
        self.hawser("send", "box?max_message=4KiB", "-m", "x" * 4096)
        error = self.failure("send", "box", "-m", "x" * 4097, status=Exit.FAILED, code="too_big")
        self.assertIn("message 1 of the command line", error["message"])
        (self.place / "file").write_bytes(b"short\n" + b"x" * 5000 + b"\n")
        error = self.failure("send", "box", self.place / "file", status=Exit.FAILED, code="too_big")
        self.assertIn("message 2 of", error["message"])

    def test_an_endless_line_is_not_read_to_its_end(self):
        zeros = open("/dev/zero", "rb")
        self.addCleanup(zeros.close)
        for flags in ([], ["--whole"], ["--null", "--size", "1GiB"][1:]):
            sender = self.spawn("send", "box?max_message=1MiB", *flags, stdin=zeros)
            _, err = sender.communicate(timeout=support.WATCHDOG_S)
            self.assertEqual(sender.returncode, Exit.FAILED)
            self.assertIn(b"too_big", err)

    def test_torn_frames(self):
        for torn in (b"1234567", struct.pack("<Q", 5) + b"1234"):
            self.hawser("send", "box", "--frames", stdin=torn, status=Exit.BROKEN)
        lie = struct.pack("<Q", (1 << 64) - 1)
        self.hawser("send", "box", "--frames", stdin=lie + b"x" * 100, status=Exit.FAILED)

    def test_stdout_is_full(self):
        self.hawser("send", "box", stdin=b"a\nb\n")
        with open("/dev/full", "wb") as full:
            receive = ["receive", "box", "--idle", "0s"]
            for arguments in (receive, ["ls"], ["info", "box", "--json"]):
                done = subprocess.run([support.HAWSER, *arguments], env=self.environment,
                                      stdout=full, stderr=subprocess.PIPE,
                                      timeout=support.WATCHDOG_S)
                self.assertEqual(done.returncode, Exit.FAILED, arguments)
                self.assertIn(b"stdout", done.stderr)
        # What could not be written was not lost.
        self.assertEqual(self.out("receive", "box", "--idle", "0s"), b"a\nb\n")


class BrokenTest(CliTest):
    """Files with the name of a mailbox."""

    def make(self):
        self.hawser("send", "box", stdin=b"a\nb\n")
        return self.file_of("box")

    def check(self, state, status):
        """Every verb answers in its own way, none crashes, and rm --force helps."""
        for verb in (["send"], ["receive", "--idle", "0s"]):
            self.hawser(*verb, "box", status=status)
        self.assertEqual(self.info("box")["state"], state)
        self.assertEqual([box["state"] for box in self.boxes()], [state])
        self.hawser("stat", "box")
        self.hawser("gc")
        report = self.document("doctor", schema="doctor", status=Exit.FAILED)
        (found,) = [f for f in report["findings"] if f["where"] == "shm:box"]
        self.assertEqual(found["level"], "problem")
        self.assertIn("rm", found["next"])
        self.hawser("rm", "box", status=Exit.BROKEN)
        self.hawser("rm", "box", "--force")
        self.assert_nothing_left()

    def test_another_programs_file(self):
        self.file_of("box").write_bytes(b"some other program's file " * 1000)
        self.check("not_mailbox", Exit.BROKEN)

    def test_empty(self):
        self.file_of("box").write_bytes(b"")
        self.check("not_mailbox", Exit.BROKEN)

    def test_zero_filled(self):
        file = self.make()
        size = file.stat().st_size
        file.write_bytes(b"")
        os.truncate(file, size)
        self.check("not_mailbox", Exit.BROKEN)

    def test_truncated(self):
        file = self.make()
        os.truncate(file, 4096)
        self.check("damaged", Exit.BROKEN)

    def test_a_stump(self):
        os.truncate(self.make(), 20)
        self.check("damaged", Exit.BROKEN)

    def test_another_layout_version(self):
        with open(self.make(), "r+b") as file:
            file.seek(8)  # behind the magic number
            file.write(struct.pack("<I", 999))
        self.check("other_version", Exit.FAILED)

    def test_a_directory(self):
        self.file_of("box").mkdir()
        self.assertEqual(self.info("box")["state"], "not_mailbox")
        for verb in (["send"], ["receive", "--idle", "0s"]):
            done = subprocess.run([support.HAWSER, *verb, "box"], env=self.environment,
                                  capture_output=True, timeout=support.WATCHDOG_S)
            self.assertIn(done.returncode, (Exit.FAILED, Exit.BROKEN))
        self.hawser("doctor", status=Exit.FAILED)

    def test_a_fifo_does_not_block(self):
        os.mkfifo(self.file_of("box"))
        self.hawser("ls")
        self.assertEqual(self.info("box")["state"], "not_mailbox")
        done = subprocess.run([support.HAWSER, "receive", "box", "--idle", "0s"],
                              env=self.environment, capture_output=True,
                              timeout=support.WATCHDOG_S)
        self.assertNotEqual(done.returncode, 0)
        self.hawser("rm", "box", "--force")


class PermissionTest(CliTest):
    def as_nobody(self, *arguments, status, **extra):
        if not is_root():
            self.skipTest("needs root, to become somebody else")
        if shutil.which("setpriv") is None:
            self.skipTest("needs setpriv")
        os.chmod(self.place, 0o755)
        command = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
        program = self.place / "hawser"  # the build directory may be closed to others
        if not program.exists():
            shutil.copy(support.HAWSER, program)
        done = subprocess.run([*command, program, *arguments], env=self.environment,
                              capture_output=True, timeout=support.WATCHDOG_S, **extra)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout

    def test_somebody_elses_mailbox(self):
        self.hawser("send", "box", "-m", "x")
        os.chmod(self.mailboxes, 0o1777)
        for verb in (["send", "-m", "y"], ["receive"], ["rm"]):
            self.as_nobody(verb[0], "box", *verb[1:], status=Exit.PERMISSION)
        boxes = json.loads(self.as_nobody("ls", "--json", status=Exit.OK))["mailboxes"]
        self.assertEqual([box["state"] for box in boxes], ["unreadable"])
        self.as_nobody("info", "box", status=Exit.OK)
        self.as_nobody("doctor", status=Exit.OK)

    def test_a_directory_where_one_may_not_write(self):
        os.chmod(self.mailboxes, 0o755)
        self.as_nobody("send", "box", "-m", "x", status=Exit.PERMISSION)
        self.as_nobody("doctor", status=Exit.FAILED)

    def test_no_directory(self):
        self.environment["HAWSER_DIR"] = str(self.place / "nowhere")
        self.hawser("send", "box", "-m", "x", status=Exit.NOT_FOUND)
        self.hawser("ls", status=Exit.NOT_FOUND)
        self.hawser("doctor", status=Exit.FAILED)

    def test_an_unreadable_file(self):
        (self.place / "secret").write_bytes(b"x\n")
        os.chmod(self.place / "secret", 0)
        os.chmod(self.mailboxes, 0o1777)
        self.as_nobody("send", "box", str(self.place / "secret"), status=Exit.PERMISSION)


class NoSpaceTest(CliTest):
    """In a tmpfs of a mebibyte."""

    def setUp(self):
        super().setUp()
        if not is_root():
            self.skipTest("needs root, to mount a small tmpfs")
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=1777", "tmpfs",
                               self.mailboxes], capture_output=True)
        if done.returncode != 0:
            self.skipTest("may not mount: " + done.stderr.decode().strip())
        self.addCleanup(subprocess.run, ["umount", self.mailboxes], check=True)

    def tearDown(self):
        self.end_all()
        for name in os.listdir(self.mailboxes):
            os.unlink(self.mailboxes / name)

    def test_no_room_for_a_mailbox(self):
        (self.mailboxes / "hawser.fill").write_bytes(b"x" * (MEBIBYTE - 8192))
        self.hawser("send", "box", "-m", "x", status=Exit.FULL)
        self.assertEqual(os.listdir(self.mailboxes), ["hawser.fill"])
        report = self.document("doctor", schema="doctor", status=Exit.FAILED)
        self.assertTrue(any("full" in found["what"] for found in report["findings"]))

    def test_no_room_for_a_message(self):
        self.hawser("send", "box?capacity=4&participants=2", "--full", "fail", "--whole",
                    stdin=b"x" * 3 * MEBIBYTE, status=Exit.FULL)
        self.hawser("send", "box", "-m", "a small one")
        self.assertEqual(self.out("receive", "box", "--idle", "0s"), b"a small one\n")


class SignalsTest(CliTest):
    def test_ctrl_c_ends_receive(self):
        receiver = self.spawn("receive", "box")
        self.wait_for_participants("box", "receiver", 1, waiting=True)
        self.hawser_keeps_sending()
        self.assertEqual(receiver.stdout.readline(), b"first\n")
        receiver.send_signal(signal.SIGINT)
        self.assertEqual(self.finish(receiver, status=Exit.INTERRUPTED), b"")

    def hawser_keeps_sending(self):
        sender = self.spawn("send", "box")
        sender.stdin.write(b"first\n")
        sender.stdin.flush()

    def test_ctrl_c_ends_send(self):
        sender = self.spawn("send", "box?capacity=1")
        sender.stdin.write(b"1\n2\n")
        sender.stdin.flush()
        self.wait_for_participants("box", "sender", 1, waiting=True)
        sender.send_signal(signal.SIGINT)
        self.finish(sender, status=Exit.INTERRUPTED)
        self.assertEqual(self.out("receive", "box", "--idle", "0s"), b"1\n")

    def test_ctrl_c_ends_send_that_reads(self):
        sender = self.spawn("send", "box")
        self.wait_for_participants("box", "sender", 1)
        sender.send_signal(signal.SIGINT)
        self.assertEqual(sender.wait(timeout=support.WATCHDOG_S), Exit.INTERRUPTED)
        self.assert_nothing_left()

    def test_terminate(self):
        receiver = self.spawn("receive", "box")
        self.wait_for_participants("box", "receiver", 1)
        receiver.terminate()
        self.finish(receiver, status=128 + signal.SIGTERM)
        self.assert_nothing_left()

    def test_a_reader_that_goes_away(self):
        """Silent, as SIGPIPE does it; what was not written comes again."""
        receiver = self.spawn("receive", "box")
        self.wait_for_participants("box", "receiver", 1)
        receiver.stdout.close()
        receiver.stdout = None
        self.hawser("send", "box", "-m", "precious")
        _, err = receiver.communicate(timeout=support.WATCHDOG_S)
        self.assertEqual((receiver.returncode, err), (-signal.SIGPIPE, b""))
        out = self.out("receive", "box", "--idle", "0s", "--jsonl")
        message = json.loads(out)
        self.assertEqual((message["text"], message["redelivered"]), ("precious", True))
        self.assert_nothing_left()

    def test_a_reader_that_has_enough(self):
        """As `hawser receive box | head -n 1` ends after its line, though no other comes."""
        receiver = self.spawn("receive", "box")
        keeps_it_open = self.spawn("send", "box")
        keeps_it_open.stdin.write(b"one\n")
        keeps_it_open.stdin.flush()
        self.assertEqual(receiver.stdout.readline(), b"one\n")
        receiver.stdout.close()
        receiver.stdout = None
        _, err = receiver.communicate(timeout=support.WATCHDOG_S)
        self.assertEqual((receiver.returncode, err), (-signal.SIGPIPE, b""))
        self.finish(keeps_it_open)

    def test_a_listing_that_nobody_reads(self):
        self.hawser("send", "box", "-m", "x")
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run([support.HAWSER, "ls"], env=self.environment, stdout=writing,
                              stderr=subprocess.PIPE, timeout=support.WATCHDOG_S,
                              restore_signals=True)
        os.close(writing)
        self.assertEqual((done.returncode, done.stderr), (-signal.SIGPIPE, b""))


class DoctorTest(CliTest):
    def findings(self, *arguments, status=Exit.OK, **extra):
        report = self.document("doctor", *arguments, schema="doctor", status=status, **extra)
        for found in report["findings"]:
            self.assertIn(found["level"], ("ok", "note", "problem"))
        problems = [f for f in report["findings"] if f["level"] == "problem"]
        self.assertEqual(len(problems), report["problems"])
        self.assertEqual(bool(problems), status == Exit.FAILED)
        return report["findings"]

    def about(self, where, *arguments, **extra):
        return [f for f in self.findings(*arguments, **extra) if f["where"] == where]

    def test_all_is_well(self):
        self.hawser("send", "box", "-m", "x")
        self.assertEqual(self.about("mailboxes")[0]["what"], "1 is well")
        self.assertEqual(self.about("shm:box", "box")[0]["level"], "ok")
        self.assertIn(b"is well", self.out("doctor", "box"))

    def test_left_over(self):
        receiver = self.spawn("receive", "box")
        self.wait_for_participants("box", "receiver", 1)
        receiver.kill()
        receiver.wait(timeout=support.WATCHDOG_S)
        (found,) = self.about("shm:box", status=Exit.FAILED)
        self.assertEqual((found["level"], found["next"]), ("problem", "hawser gc"))
        self.hawser("gc")
        self.findings()

    def test_a_dead_participant_of_a_living_mailbox(self):
        sender = self.spawn("send", "box")
        self.wait_for_participants("box", "sender", 1)
        sender.kill()
        sender.wait(timeout=support.WATCHDOG_S)
        self.hawser("send", "other", "-m", "x")  # nobody looks after `box`
        self.assertTrue(self.about("shm:box", status=Exit.FAILED))

    def test_open_to_all(self):
        self.hawser("send", "box?mode=0666", "-m", "x")
        (found,) = self.about("shm:box", status=Exit.FAILED)
        self.assertIn("anyone", found["what"])
        self.assertIn("chmod", found["next"])

    def test_full(self):
        self.hawser("send", "box?capacity=2", "-m", "x", "-m", "y")
        (found,) = self.about("shm:box")
        self.assertEqual((found["level"], found["what"]), ("note", "is full: 2 of 2 messages"))

    def test_a_stopped_process(self):
        receiver = self.spawn("receive", "box")
        self.wait_for_participants("box", "receiver", 1)
        receiver.send_signal(signal.SIGSTOP)
        self.wait_until(lambda: self.about("shm:box"), "the stopped process is noticed")
        (found,) = self.about("shm:box")
        self.assertIn("is stopped", found["what"])
        self.assertEqual(found["next"], f"kill -CONT {receiver.pid}")

    def test_another_pid_namespace(self):
        if not is_root() or shutil.which("unshare") is None:
            self.skipTest("needs root and unshare")
        command = ["unshare", "--pid", "--fork", "--kill-child", support.HAWSER, "receive", "box"]
        inner = subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE)
        self.running.append(inner)
        self.wait_until(lambda: self.boxes() or inner.poll() is not None, "the receiver")
        if inner.poll() is not None:
            self.skipTest("may not make a PID namespace")
        self.wait_for_participants("box", "receiver", 1)
        (found,) = self.about("shm:box")
        self.assertIn("another PID namespace", found["what"])

    def test_a_directory_without_the_sticky_bit(self):
        os.chmod(self.mailboxes, 0o777)
        found = self.about(str(self.mailboxes), status=Exit.FAILED)
        self.assertIn("sticky", found[0]["why"])

    def test_an_odd_setting(self):
        self.environment["HAWSER_DIR"] = "relative"
        (found, *_) = self.about("HAWSER_DIR", status=Exit.FAILED)
        self.assertIn("absolute", found["what"])
