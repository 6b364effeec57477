"""--raw: bytes without messages; and what goes along with messages: --priority, --type."""

import json
import os
import signal

from support import CliTest, Exit


class RawTest(CliTest):
    def setUp(self):
        super().setUp()
        self.fifo = self.place / "fifo"
        self.socket = self.place / "socket"
        self.data = os.urandom(1_500_000)

    def to_file(self, *arguments):
        """Its output goes to a file: nobody reads along."""
        with open(self.place / "out", "wb") as out:
            return self.spawn(*arguments, stdout=out)

    def received(self, process):
        self.finish(process)
        return (self.place / "out").read_bytes()

    def listening(self, *flags):
        """One that listens on the socket, when it does."""
        process = self.to_file(*flags, f"unix:{self.socket}")
        self.wait_until(self.is_listening, "the socket")
        return process

    def is_listening(self):
        with open("/proc/net/unix", encoding="utf-8") as table:
            return any(line.rstrip().endswith(str(self.socket)) for line in table)

    # ---- bytes --------------------------------------------------------------------------------

    def test_between_two_hawsers(self):
        receiver = self.to_file("receive", "--raw", f"fifo:{self.fifo}")
        self.wait_until(self.fifo.exists, "the FIFO")
        self.hawser("send", "--raw", f"fifo:{self.fifo}", stdin=self.data)
        self.assertEqual(self.received(receiver), self.data)
        self.assertFalse(self.fifo.exists())

    def test_a_socket_listens_to_receive_and_connects_to_send(self):
        receiver = self.listening("receive", "--raw")
        self.hawser("send", "--raw", f"unix:{self.socket}", stdin=self.data)
        self.assertEqual(self.received(receiver), self.data)

    def test_the_other_way_round(self):
        sender = self.listening("send", "--raw", "--listen", "-m", "hello")
        out = self.out("receive", "--raw", "--connect", f"unix:{self.socket}")
        self.assertEqual(out, b"hello")
        self.finish(sender)

    def test_texts_and_files_follow_each_other(self):
        file = self.place / "file"
        file.write_bytes(self.data)
        receiver = self.listening("receive", "--raw")
        document = json.loads(
            self.out("send", "--raw", f"unix:{self.socket}", "-m", "a", file, "-", "--json",
                     stdin=b"end")
        )
        self.assertEqual(document["bytes"], len(self.data) + 4)
        self.assertEqual(self.received(receiver), b"a" + self.data + b"end")

    def test_nothing_is_an_end(self):
        receiver = self.listening("receive", "--raw")
        self.hawser("send", "--raw", f"unix:{self.socket}")
        self.assertEqual(self.received(receiver), b"")

    def test_nobody_there_times_out(self):
        self.hawser("send", "--raw", f"fifo:{self.fifo}", "--timeout", "20ms",
                    status=Exit.TIMED_OUT)
        self.hawser("receive", "--raw", f"unix:{self.socket}", "--timeout", "20ms",
                    status=Exit.TIMED_OUT)
        self.assertFalse(self.fifo.exists())
        self.assertFalse(self.socket.exists())

    def test_ctrl_c_ends_it(self):
        receiver = self.spawn("receive", "--raw", f"fifo:{self.fifo}")
        self.wait_until(self.fifo.exists, "the FIFO")
        receiver.send_signal(signal.SIGINT)
        self.finish(receiver, status=Exit.INTERRUPTED)
        self.assertFalse(self.fifo.exists())

    def test_messages_have_no_raw_bytes(self):
        for verb in ("send", "receive"):
            said = self.err(verb, "--raw", "shm:box", status=Exit.FAILED)
            self.assertIn("not a stream of bytes", said)

    def test_flags_that_contradict_it(self):
        for flags in (["--raw", "--whole"], ["--listen"], ["--raw", "--listen", "--connect"],
                      ["--raw", "--priority", "3"]):
            self.hawser("send", *flags, f"fifo:{self.fifo}", status=Exit.USAGE)
        for flags in (["--raw", "--count", "1"], ["--raw", "--format", "hex"], ["--connect"],
                      ["--raw", "--type", "3"]):
            self.hawser("receive", *flags, f"fifo:{self.fifo}", status=Exit.USAGE)
        self.assertFalse(self.fifo.exists())


class AlongTest(CliTest):
    def queue(self, scheme, name):
        address = f"{scheme}:{name}"
        self.addCleanup(lambda: self.hawser("rm", address, "--force"))
        return address

    def test_higher_priorities_come_first(self):
        queue = self.queue("mq", f"/hawser-cli-{os.getpid()}")
        for priority, text in (("1", "low"), ("9", "high"), ("5", "middle")):
            self.hawser("send", queue, "--priority", priority, "-m", text)
        lines = self.out("receive", queue, "--idle", "0s", "--jsonl").splitlines()
        got = [(m["text"], m["priority"]) for m in map(json.loads, lines)]
        self.assertEqual(got, [("high", 9), ("middle", 5), ("low", 1)])

    def test_types_are_selected(self):
        queue = self.queue("sysv-mq", str(0x68770000 + os.getpid() % 65536))

        def fill():
            for kind in ("4", "2", "7", "2"):
                self.hawser("send", queue, "--type", kind, "-m", "of " + kind)

        def received(selection):
            out = self.out("receive", queue, "--idle", "0s", "--jsonl", "--type", selection)
            return [json.loads(line)["type"] for line in out.splitlines()]

        fill()
        self.assertEqual(received("7"), [7])
        self.assertEqual(received("!=4"), [2, 2])
        self.assertEqual(received("<=3"), [])
        self.assertEqual(received("<=5"), [4])
        fill()
        self.assertEqual(received("<=5"), [2, 2, 4])
        fill()
        self.assertEqual(received("any"), [7, 4, 2, 7, 2])

    def test_what_has_none_says_so(self):
        self.assertIn("unsupported", self.err("send", "box", "--priority", "3", "-m", "x",
                                              status=Exit.FAILED))
        self.assertIn("unsupported", self.err("receive", "box", "--type", "3",
                                              status=Exit.FAILED))
        for wrong in ("", "x", "3x", "<=", "=3", "-1", "0", "<3"):
            if wrong:
                self.hawser("receive", "box", "--type", wrong, status=Exit.USAGE)
        self.hawser("send", "box", "--priority", "32768", "-m", "x", status=Exit.USAGE)
        self.hawser("send", "box", "--type", "0", "-m", "x", status=Exit.USAGE)
