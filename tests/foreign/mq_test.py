"""POSIX message queues with a plain C program on the other side (mq_peer.c), both ways."""

import os
import pathlib
import subprocess

import support
from support import Exit

HERE = pathlib.Path(__file__).resolve().parent


class MqTest(support.ForeignTest):
    def setUp(self):
        super().setUp()
        self.peer = self.place / "mq_peer"
        subprocess.run(
            ["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", HERE / "mq_peer.c", "-o", self.peer,
             "-lrt"],
            check=True,
        )
        self.name = f"/hawser-foreign-{os.getpid()}"
        self.address = "mq:" + self.name
        self.addCleanup(subprocess.run, [self.peer, "unlink", self.name], capture_output=True)

    def run_peer(self, *arguments, stdin=b"", status=0):
        return self.finish(self.start(self.peer, *arguments), stdin, status)[0].decode()

    def run_hawser(self, *arguments, stdin=b"", status=Exit.OK):
        return self.finish(self.hawser(*arguments), stdin, status)[0].decode()

    def test_c_receives_what_hawser_sent(self):
        self.run_hawser("send", self.address, stdin=b"one\ntwo\n\nfour\n")
        self.assertEqual(
            self.run_peer("receive", self.name, "4"), "0 one\n0 two\n0 \n0 four\n"
        )

    def test_hawser_receives_what_c_sent_highest_priority_first(self):
        self.run_peer("create", self.name, "5", "100")
        self.run_peer("send", self.name, stdin=b"0 low\n7 high\n32767 highest\n7 high again\n")
        self.assertEqual(
            self.run_hawser("receive", self.address, "--count", "4"),
            "highest\nhigh\nhigh again\nlow\n",
        )

    def test_many_messages_through_a_small_queue_of_a_c_program(self):
        self.run_peer("create", self.name, "3", "64")
        lines = "".join(f"{i}\n" for i in range(5000))
        receiver = self.start(self.peer, "receive", self.name, "5000")
        self.run_hawser("send", self.address, stdin=lines.encode())
        out, _ = self.finish(receiver)
        self.assertEqual(out.decode(), "".join(f"0 {i}\n" for i in range(5000)))

    def test_the_other_way_round(self):
        self.run_peer("create", self.name, "3", "64")
        receiver = self.hawser("receive", self.address, "--count", "5000")
        self.run_peer("send", self.name, stdin="".join(f"0 {i}\n" for i in range(5000)).encode())
        out, _ = self.finish(receiver)
        self.assertEqual(out.decode(), "".join(f"{i}\n" for i in range(5000)))

    def test_the_geometry_of_a_c_program_is_respected(self):
        self.run_peer("create", self.name, "2", "16")
        _, said = self.finish(
            self.hawser("send", self.address, "--message", "x" * 17), status=Exit.FAILED
        )
        self.assertIn("at most 16", said)
        _, said = self.finish(
            self.hawser("send", self.address + "?capacity=3", "--message", "x"),
            status=Exit.FAILED,
        )
        self.assertIn("capacity=2", said)
        self.run_hawser("send", self.address, "--message", "x" * 16)
        self.assertEqual(self.run_peer("receive", self.name, "1"), "0 " + "x" * 16 + "\n")

    def test_a_c_program_is_told_of_hawsers_message(self):
        self.run_peer("create", self.name, "2", "16")
        waiting = self.start(self.peer, "notify", self.name)
        self.assertEqual(waiting.stdout.readline(), b"registered\n")
        sender = self.hawser("send", self.address, "--message", "x")
        self.finish(sender)
        out, _ = self.finish(waiting)
        self.assertEqual(out.decode(), f"told by {sender.pid}\n")

    def test_a_queue_that_the_c_program_removed_is_not_found(self):
        self.run_hawser("send", self.address, "--message", "x")
        self.run_peer("unlink", self.name)
        self.run_hawser("info", self.address, status=Exit.NOT_FOUND)
        self.run_hawser(
            "send", self.address + "?create=open", "--message", "x", status=Exit.NOT_FOUND
        )
