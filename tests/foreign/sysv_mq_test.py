"""System V message queues with a plain C program (sysv_peer.c) and Python's sysv_ipc on the other
side, both ways."""

import os
import pathlib
import subprocess

import sysv_ipc

import support
from support import Exit

HERE = pathlib.Path(__file__).resolve().parent
LOWEST_PRIORITY = 32768  # the type of a message without type or priority


class SysvMqTest(support.ForeignTest):
    def setUp(self):
        super().setUp()
        self.peer = self.place / "sysv_peer"
        subprocess.run(
            ["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", HERE / "sysv_peer.c", "-o",
             self.peer],
            check=True,
        )
        self.key = 0x30000000 | os.getpid()
        self.address = f"sysv-mq:{self.key:#x}"
        self.addCleanup(self.run_quietly, "remove", self.key)

    def run_quietly(self, *arguments):
        subprocess.run([self.peer, *map(str, arguments)], capture_output=True)

    def run_peer(self, *arguments, stdin=b"", status=0):
        return self.finish(self.start(self.peer, *arguments), stdin, status)[0].decode()

    def run_hawser(self, *arguments, stdin=b"", status=Exit.OK):
        return self.finish(self.hawser(*arguments), stdin, status)[0].decode()

    # ---- a C program --------------------------------------------------------------------------

    def test_c_receives_what_hawser_sent(self):
        self.run_hawser("send", self.address, stdin=b"one\ntwo\n\nfour\n")
        self.assertEqual(
            self.run_peer("receive", self.key, "4", "0"),
            "".join(f"{LOWEST_PRIORITY} {text}\n" for text in ("one", "two", "", "four")),
        )

    def test_hawser_receives_what_c_sent_lowest_type_first(self):
        self.run_peer("create", self.key)
        self.run_peer("send", self.key, stdin=b"9 nine\n5 five\n100000 far\n5 five again\n")
        self.assertEqual(
            self.run_hawser("receive", self.address, "--count", "4"),
            "five\nfive again\nnine\nfar\n",
        )

    def test_many_messages_through_a_small_queue(self):
        lines = "".join(f"{i}\n" for i in range(5000))
        self.run_peer("create", self.key)
        receiver = self.start(self.peer, "receive", self.key, "5000", "0")
        self.run_hawser("send", self.address, stdin=lines.encode())
        out, _ = self.finish(receiver)
        self.assertEqual(out.decode(), "".join(f"{LOWEST_PRIORITY} {i}\n" for i in range(5000)))

    def test_the_other_way_round(self):
        self.run_peer("create", self.key)
        receiver = self.hawser("receive", self.address, "--count", "5000")
        self.run_peer("send", self.key, stdin="".join(f"3 {i}\n" for i in range(5000)).encode())
        out, _ = self.finish(receiver)
        self.assertEqual(out.decode(), "".join(f"{i}\n" for i in range(5000)))

    def test_both_make_the_same_key_of_a_file(self):
        file = self.place / "file"
        file.touch()
        key = self.run_peer("key", file, "7").strip()
        self.addCleanup(self.run_quietly, "remove", key)
        self.run_hawser("send", f"sysv-mq:{file}#7", "--message", "by path")
        self.assertEqual(
            self.run_peer("receive", key, "1", "0"), f"{LOWEST_PRIORITY} by path\n"
        )

    def test_removal_by_a_c_program_ends_a_waiting_receiver(self):
        self.run_peer("create", self.key)
        receiver = self.hawser("receive", self.address)
        self.run_peer("send", self.key, stdin=b"1 it waits\n")
        self.wait_until(lambda: self.depth() == 0, "the receiver")
        self.run_peer("remove", self.key)
        out, _ = self.finish(receiver)
        self.assertEqual(out, b"it waits\n")

    def depth(self):
        return sysv_ipc.MessageQueue(self.key).current_messages

    # ---- Python -------------------------------------------------------------------------------

    def test_python_receives_what_hawser_sent(self):
        data = bytes(range(256)) * 8
        sender = self.hawser("send", self.address, "--size", "512")
        self.finish(sender, data)
        queue = sysv_ipc.MessageQueue(self.key)
        self.assertEqual(queue.mode & 0o777, 0o600)
        self.assertEqual(queue.current_messages, 4)
        for _ in range(4):
            message, kind = queue.receive(block=False)
            self.assertEqual((message, kind), (bytes(range(256)) * 2, LOWEST_PRIORITY))

    def test_hawser_receives_what_python_sent(self):
        queue = sysv_ipc.MessageQueue(
            self.key, sysv_ipc.IPC_CREX, mode=0o600, max_message_size=8192
        )
        data = [os.urandom(size) for size in (0, 1, 2000, 8192)]
        receiver = self.hawser("receive", self.address, "--count", "4", "--format", "raw")
        for kind, message in enumerate(data, 1):  # in this order, however many are waiting
            queue.send(message, type=kind)
        out, _ = self.finish(receiver)
        self.assertEqual(out, b"".join(data))

    def test_python_finds_no_queue_that_hawser_removed(self):
        queue = sysv_ipc.MessageQueue(self.key, sysv_ipc.IPC_CREX)
        queue.send(b"lost", type=1)
        _, said = self.finish(self.hawser("rm", self.address), status=Exit.FAILED)
        self.assertIn(f"process {os.getpid()}", said)
        self.run_hawser("rm", "--force", self.address)
        with self.assertRaises(sysv_ipc.ExistentialError):
            queue.receive(block=False)
