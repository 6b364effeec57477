"""Mailboxes with trust=none, from the shell."""

import json
import os
import signal

from support import CliTest, Exit


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
        self.assertEqual(self.info("box")["state"], "dead")
        self.assertRegex(self.out("gc").decode(), "shm:box +removed")
        self.assertEqual(os.listdir(self.mailboxes), [])
        receiver = self.spawn("receive", "box?trust=none")
        self.wait_for_participants("box", "receiver", 1)
        self.hawser("rm", "--force", "box")
        receiver.wait()
        self.assertEqual(os.listdir(self.mailboxes), [])

    def test_mistakes_say_what_to_do(self):
        self.assertIn("persist", self.err("send", "box?trust=none&persist=yes", "-m", "x",
                                          status=Exit.USAGE))
        self.hawser("send", "box", "-m", "x")
        self.assertIn("trust=all", self.err("send", "box?trust=none", "-m", "x",
                                            status=Exit.FAILED))
        self.spawn("receive", "other?trust=none")
        self.wait_for_participants("other", "receiver", 1)
        self.assertIn("trust=none", self.err("send", "other", "-m", "x", status=Exit.BROKEN))
