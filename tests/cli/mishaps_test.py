"""What goes wrong at one of several senders or at a reader, and what is said of it: where an end
point is, how large a message may be, which command to try next."""

import fcntl
import json
import re
import signal
import socket
import struct
import subprocess
import termios

import support
from support import CliTest, Exit


def frame(text):
    return b"hw\x01\x00" + struct.pack("<I", len(text)) + text + b"\0"


class SeveralSendersTest(CliTest):
    """Each breaks its own connection, and nobody else's."""

    def setUp(self):
        super().setUp()
        self.path = self.place / "place"

    def receiver(self, scheme, *flags):
        process = self.spawn("receive", f"{scheme}:{self.path}", *flags, bufsize=0)
        self.wait_until(self.path.exists, "the receiver")
        return process

    def good(self, scheme):
        """A sender that stays until it is told to end; its first line is on its way."""
        process = self.spawn("send", f"{scheme}:{self.path}", bufsize=0)
        process.stdin.write(b"1\n")
        return process

    def finish_good(self, receiver, sender, status=Exit.BROKEN):
        lines = range(2, 7)
        self.finish(sender, b"".join(b"%d\n" % line for line in lines))
        out, err = receiver.communicate(timeout=support.WATCHDOG_S)
        self.assertEqual(receiver.returncode, status, err)
        self.assertEqual(out.split(), [b"%d" % line for line in lines])
        return err.decode()

    def connected(self):
        other = socket.socket(socket.AF_UNIX)
        self.addCleanup(other.close)
        other.connect(str(self.path))
        return other

    def next_warning(self, receiver):
        return receiver.stderr.readline().decode()

    def test_garbage(self):
        receiver = self.receiver("unix")
        sender = self.good("unix")
        self.assertEqual(receiver.stdout.readline(), b"1\n")
        for _ in range(2):
            self.connected().sendall(b"GET / HTTP/1.0\r\n\r\n")
            said = self.next_warning(receiver)
            self.assertRegex(said, r"\Ahawser: warning: receive unix:.*: corrupt: .* goes on\.$")
        self.assertEqual(self.finish_good(receiver, sender), "")

    def test_a_sender_killed_in_the_middle_of_a_message(self):
        receiver = self.receiver("unix")
        sender = self.good("unix")
        self.assertEqual(receiver.stdout.readline(), b"1\n")
        receiver.send_signal(signal.SIGSTOP)  # so that the large one can't come to its end
        large = self.spawn("send", f"unix:{self.path}", "--size", "8MiB")
        large.stdin.write(b"x" * (8 << 20))
        large.stdin.flush()
        self.wait_until(lambda: self.waits_for_room(large), "the socket is full")
        large.kill()
        large.wait(timeout=support.WATCHDOG_S)
        receiver.send_signal(signal.SIGCONT)
        self.assertIn("peer_died", self.next_warning(receiver))
        self.assertEqual(self.finish_good(receiver, sender), "")

    def waits_for_room(self, sender):
        """It has read its whole message, and so can sleep for nothing else."""
        if fcntl.ioctl(sender.stdin, termios.FIONREAD, bytes(4)) != bytes(4):
            return False
        with open(f"/proc/{sender.pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] == "S"

    def test_too_large_a_message(self):
        receiver = self.receiver("unix", "--max_message", "10")
        sender = self.good("unix")
        self.assertEqual(receiver.stdout.readline(), b"1\n")
        self.hawser("send", f"unix:{self.path}", "-m", "x" * 11)
        self.assertIn("too_big", self.next_warning(receiver))
        self.assertEqual(self.finish_good(receiver, sender, status=Exit.FAILED), "")

    def test_garbage_in_a_fifo(self):
        receiver = self.receiver("fifo", "--jsonl")
        sender = self.good("fifo")
        self.assertEqual(json.loads(receiver.stdout.readline())["text"], "1")
        with open(self.path, "wb") as fifo:
            fifo.write(b"no frame, but long enough for one\n")
        warning = json.loads(self.next_warning(receiver))
        self.assertEqual((warning["schema"], warning["code"]), ("hawser.warning", "corrupt"))
        self.finish(sender, b"2\n")
        out, err = receiver.communicate(timeout=support.WATCHDOG_S)
        self.assertEqual((receiver.returncode, err), (Exit.BROKEN, b""))
        self.assertEqual(json.loads(out)["text"], "2")

    def test_garbage_without_end_ends_it(self):
        with open("/dev/zero", "rb") as zeros:
            receiver = self.spawn("receive", f"fifo:{self.path}", stderr=subprocess.DEVNULL)
            self.wait_until(self.path.exists, "the receiver")
            flood = subprocess.Popen(["dd", f"of={self.path}", "bs=1M"], stdin=zeros,
                                     stderr=subprocess.DEVNULL)
            self.running.append(flood)
            self.assertEqual(receiver.wait(timeout=support.WATCHDOG_S), Exit.BROKEN)

    def test_a_pipe_is_broken_for_good(self):
        done = self.err("receive", "pipe:0,-", stdin=b"this is no frame at all\n" + frame(b"x"),
                        status=Exit.BROKEN)
        self.assertNotIn("goes on", done)
        self.assertEqual(len(done.splitlines()), 1)


class ReaderTest(CliTest):
    """`hawser receive … | head -n 1`: nothing dead is left behind."""

    def left_by(self, address, made, wait):
        receiver = self.spawn("receive", address, bufsize=0)
        wait()
        sender = self.spawn("send", address, bufsize=0)
        sender.stdin.write(b"one\n")
        self.assertEqual(receiver.stdout.readline(), b"one\n")
        receiver.stdout.close()
        receiver.stdout = None
        _, err = receiver.communicate(timeout=support.WATCHDOG_S)
        self.assertEqual((receiver.returncode, err), (-signal.SIGPIPE, b""))
        sender.communicate(timeout=support.WATCHDOG_S)
        self.assertFalse(made.exists())
        self.assert_nothing_left()

    def test_a_mailbox(self):
        self.left_by("shm:box", self.file_of("box"),
                     lambda: self.wait_for_participants("box", "receiver", 1))

    def test_a_socket(self):
        path = self.place / "socket"
        self.left_by(f"unix:{path}", path, lambda: self.wait_until(path.exists, "the socket"))

    def test_raw_bytes(self):
        path = self.place / "socket"
        receiver = self.spawn("receive", "--raw", f"unix:{path}", bufsize=0)
        self.wait_until(path.exists, "the socket")
        sender = self.spawn("send", "--raw", f"unix:{path}", bufsize=0)
        sender.stdin.write(b"one\n")
        self.assertEqual(receiver.stdout.readline(), b"one\n")
        receiver.stdout.close()
        receiver.stdout = None
        _, err = receiver.communicate(timeout=support.WATCHDOG_S)
        self.assertEqual((receiver.returncode, err), (-signal.SIGPIPE, b""))
        self.assertFalse(path.exists())


class PlaceTest(CliTest):
    def place_told(self, process, verb):
        said = process.stderr.readline().decode()
        match = re.fullmatch(rf"hawser: {verb} (\S+)\n", said)
        self.assertIsNotNone(match, said)
        return match[1]

    def test_the_port_that_the_system_chose(self):
        receiver = self.spawn("receive", "tcp://127.0.0.1:0")
        where = self.place_told(receiver, "receiving at")
        self.assertRegex(where, r"\Atcp://127\.0\.0\.1:[1-9]\d*\Z")
        self.assertEqual(self.err("send", where, "-m", "x"), "")
        self.assertEqual(self.finish(receiver), b"x\n")

    def test_the_port_of_raw_bytes(self):
        receiver = self.spawn("receive", "--raw", "tcp://127.0.0.1:0")
        where = self.place_told(receiver, "listening on")
        self.hawser("send", "--raw", where, "-m", "x")
        self.assertEqual(self.finish(receiver), b"x")

    def test_as_json(self):
        said = self.err("receive", "udp://127.0.0.1:0", "--jsonl", "--for", "0s")
        place = json.loads(said)
        self.assertEqual(place["schema"], "hawser.place")
        self.assertRegex(place["address"], r"\Audp://127\.0\.0\.1:[1-9]\d*\Z")

    def test_a_private_queue(self):
        said = self.err("send", "sysv-mq:private", "-m", "x")
        where = re.fullmatch(r"hawser: sending to (sysv-mq:id=\d+)\n", said)[1]
        self.addCleanup(self.hawser, "rm", where, "--force")
        self.assertEqual(self.out("receive", where, "--idle", "0s"), b"x\n")

    def test_a_new_terminal(self):
        receiver = self.spawn("receive", "--raw", "pty:")
        where = self.place_told(receiver, "receiving at")
        self.assertRegex(where, r"\Apty:/dev/pts/\d+\Z")

    def test_nothing_where_it_is_known(self):
        self.assertEqual(self.err("receive", f"unix:{self.place}/s", "--for", "0s"), "")
        self.assertEqual(self.err("receive", "box", "--for", "0s"), "")


class LimitsTest(CliTest):
    def too_long(self, address, *flags):
        zeros = b"\0" * 200_000
        return self.err("send", address, *flags, "--size", "100KiB", stdin=zeros,
                        status=Exit.FAILED)

    def test_limits_are_exact(self):
        said = self.too_long(f"fifo:{self.place}/fifo")
        self.assertIn("which is 4,087B.", said)
        self.assertNotIn("--max_message", said)
        said = self.too_long("udp://127.0.0.1:9")
        self.assertIn("which is 65,507B.", said)
        self.assertNotIn("--max_message", said)
        self.assertIn("which is 5,000B.", self.too_long("box?max_message=5000"))

    def test_advice_where_more_can_be_had(self):
        said = self.too_long("box?max_message=4KiB")
        self.assertIn("which is 4KiB. Cut it (--size), or make the mailbox with a larger", said)

    def test_the_table_of_the_readme_is_what_is_printed(self):
        table = self.out("transports", "--markdown").decode()
        self.assertRegex(table, r"\| `fifo:PATH` .*\| 4,087B \|")
        readme = (support.ROOT / "README.md").read_text(encoding="utf-8")
        self.assertIn(table, readme)


class NextTest(CliTest):
    """What is to be tried next works, or nothing is said."""

    def error(self, *arguments, status, **extra):
        error = json.loads(self.err(*arguments, "--json", status=status, **extra))
        said = self.err(*arguments, status=status, **extra)
        self.assertEqual("  try: " in said, error["next"] != "")
        if error["next"].startswith("hawser "):
            self.hawser(*error["next"].split()[1:])
        return error

    def test_nobody_there(self):
        for address in (f"unix:{self.place}/nobody", f"fifo:{self.place}/nobody",
                        "unix:@hawser-cli-nobody"):
            for flags, status in ((["--full", "fail"], Exit.FULL),
                                  (["--timeout", "20ms"], Exit.TIMED_OUT)):
                error = self.error("send", address, "-m", "x", *flags, status=status)
                self.assertEqual((error["address"], error["next"]), (address, ""))

    def test_nobody_receives_there_yet(self):
        address = f"unix:{self.place}/nobody"
        said = self.err("send", address, "-m", "x", "--full", "fail", status=Exit.FULL)
        self.assertRegex(said, rf"\Ahawser: send {re.escape(address)}: would_block: nobody")

    def test_a_full_mailbox(self):
        self.hawser("send", "box?capacity=1", "-m", "x")
        error = self.error("send", "box", "-m", "y", "--full", "fail", status=Exit.FULL)
        self.assertEqual(error["next"], "hawser info shm:box")

    def test_a_port_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
            error = self.error("receive", address, status=Exit.FAILED)
        self.assertEqual((error["code"], error["next"]), ("already_exists", "ss -tlnp"))

    def test_a_mailbox_that_went_with_its_receiver(self):
        for address, then in (("box", "hawser ls"), (f"unix:{self.place}/s", "")):
            error = self.error("receive", address, "--timeout", "20ms", status=Exit.TIMED_OUT)
            self.assertEqual(error["next"], then)

    def test_dashes_are_no_letters(self):
        said = self.err("send", "box", "--cuont", "3", status=Exit.USAGE)
        self.assertNotIn("did you mean", said)
