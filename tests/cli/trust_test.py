"""Mailboxes with trust=none, from the shell."""

import json
import os
import signal
import unittest

from support import CliTest, Exit, is_root


class TrustTest(CliTest):
    def test_lines_go_through_whoever_comes_first(self):
        for first in ("send", "receive"):
            lines = b"".join(b"line %d\n" % i for i in range(500))
            box = f"{first}?trust=none"
            if first == "receive":
                receiver = self.spawn("receive", box)
                self.wait_for_participants(first, "receiver", 1)
                self.hawser("send", box, stdin=lines)
                self.assertEqual(self.finish(receiver), lines)
            else:  # waits with what it has sent until somebody comes
                sender = self.spawn("send", "send", "--trust", "none")
                sender.stdin.write(lines)
                sender.stdin.close()
                sender.stdin = None
                self.wait_until(lambda: [b["depth"] for b in self.boxes()] == [500], "500 lines")
                self.assertEqual(self.out("receive", box), lines)
                self.finish(sender)
        self.assertEqual(os.listdir(self.mailboxes), [])

    def test_a_sender_that_waits_for_somebody_can_be_stopped(self):
        sender = self.spawn("send", "box", "--trust=none", "-m", "x")
        self.wait_until(lambda: [b["depth"] for b in self.boxes()] == [1], "one message")
        said = sender.stderr.readline().decode()
        self.assertIn("waiting for a receiver; 1 message is gone if", said)
        sender.send_signal(signal.SIGINT)
        _, err = sender.communicate()
        self.assertEqual(sender.returncode, Exit.INTERRUPTED)
        self.assertRegex(err.decode(), "sent 1 message, .*, 1 not received, and gone")
        self.assertEqual(os.listdir(self.mailboxes), [])

    def test_the_timeout_bounds_the_wait_for_a_receiver(self):
        command = ("send", "box", "--trust=none", "--timeout=50ms", "-m", "x", "-m", "y")
        said = self.err(*command, status=Exit.TIMED_OUT)
        self.assertRegex(said, "waiting for a receiver; 2 messages are")
        self.assertIn("no receiver came in the time given: 2 messages not received", said)
        out, err = self.hawser(*command, "--json", status=Exit.TIMED_OUT)
        self.assertEqual(out, b"", "a document says that it went well")
        waiting, failed = map(json.loads, err.splitlines())
        self.assertEqual((waiting["schema"], waiting["messages"]), ("hawser.waiting", 2))
        self.assertEqual((failed["schema"], failed["code"]), ("hawser.error", "timed_out"))
        self.assertEqual(os.listdir(self.mailboxes), [])

    def test_looking_and_clearing_away(self):
        receiver = self.spawn("receive", "box?trust=none&capacity=7")
        self.wait_for_participants("box", "receiver", 1)
        self.assertRegex(self.out("info", "box").decode(), "trust +none")
        geometry = self.info("box")["geometry"]
        self.assertEqual((geometry["trust"], geometry["capacity"]), ("none", 7))
        self.assertIn("in use", self.err("rm", "box", status=Exit.FAILED))
        receiver.kill()
        receiver.wait()
        gone = self.info("box")
        self.assertEqual((gone["state"], gone["depth"], gone["counters"], gone["memory_bytes"]),
                         ("dead", None, None, None))
        self.assertIn("unseen", self.out("info", "box").decode())
        self.assertRegex(self.out("ls", "--mailboxes").decode(), r"shm:box +dead( +-){7}")
        self.assertIn("unseen", self.out("stat", "box").decode())
        self.assertIn("unseen", self.out("gc", "--dry-run").decode())
        self.assertIn("unseen", self.out("doctor", "box", status=Exit.FAILED).decode())
        stat = self.document("stat", "box", schema="stat")
        self.assertEqual((stat["depth"], stat["counters"]), (None, None))
        self.assertRegex(self.out("gc").decode(), "shm:box +removed")
        self.assertEqual(os.listdir(self.mailboxes), [])
        receiver = self.spawn("receive", "box?trust=none")
        self.wait_for_participants("box", "receiver", 1)
        self.hawser("rm", "--force", "box")
        receiver.wait()
        self.assertEqual(os.listdir(self.mailboxes), [])

    def test_a_stopped_host_is_told_by_every_look(self):
        host = self.spawn("receive", "box?trust=none")
        self.wait_for_participants("box", "receiver", 1)
        host.send_signal(signal.SIGSTOP)
        self.assertIn("does not answer", self.out("info", "box").decode())
        found = self.document("doctor", "box", schema="doctor")["findings"]
        said = "".join(f["why"] for f in found if f["where"] == "shm:box")
        self.assertRegex(said, rf"process {host.pid}\) does not answer: it is stopped")
        self.assertNotIn("mode 0600", said)
        host.send_signal(signal.SIGCONT)
        self.wait_for_participants("box", "receiver", 1)

    @unittest.skipUnless(is_root(), "not applicable: only root can be somebody else")
    def test_who_may_not_remove_the_name_is_told_so(self):
        self.mailboxes.chmod(0o1777)
        self.place.chmod(0o755)
        self.spawn("receive", "box?trust=none")
        self.wait_for_participants("box", "receiver", 1)
        said = self.err("rm", "--force", "box", user=65534, status=Exit.PERMISSION)
        self.assertIn("this user may not remove the name", said)
        self.assertNotIn("dead", said)

    def test_a_place_that_can_not_be_used_is_told(self):
        def refused(directory, name="box", **extra):
            there = dict(self.environment, HAWSER_DIR=str(directory))
            return self.err("receive", name + "?trust=none", env=there, **extra)
        self.assertRegex(refused(self.place / "none", status=Exit.NOT_FOUND),
                         "does not exist. Make it, or set .HAWSER_DIR")
        said = refused(self.mailboxes, "n" * 100, status=Exit.USAGE)
        self.assertRegex(said, r"choose a shorter name or \$HAWSER_DIR: .* at most 107 bytes")
        if is_root():
            self.place.chmod(0o755)
            for mode in (0o700, 0o755):
                self.mailboxes.chmod(mode)
                said = refused(self.mailboxes, user=65534, status=Exit.PERMISSION)
                self.assertRegex(said, "this user may not .* Set .HAWSER_DIR to another")

    def test_mistakes_say_what_to_do(self):
        self.assertIn("persist", self.err("send", "box?trust=none&persist=yes", "-m", "x",
                                          status=Exit.USAGE))
        self.hawser("send", "box", "-m", "x")
        self.assertIn("trust=all", self.err("send", "box?trust=none", "-m", "x",
                                            status=Exit.FAILED))
        self.spawn("receive", "other?trust=none")
        self.wait_for_participants("other", "receiver", 1)
        self.assertIn("trust=none", self.err("send", "other", "-m", "x", status=Exit.FAILED))
