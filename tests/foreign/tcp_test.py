"""TCP with peers that know nothing of hawser: frames made by hand, raw bytes, and nonsense."""

import hashlib
import os
import socket
import struct

import support
from support import END, MORE, VOID, Exit, frame, frames_of, messages_in, receive_all


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


class TcpTestCase(support.ForeignTest):
    def setUp(self):
        super().setUp()
        self.port = support.free_port()
        self.address = f"tcp://127.0.0.1:{self.port}"

    def receiver(self, *flags, address=None, **extra):
        process = self.hawser("receive", address or self.address, *flags, **extra)
        self.wait_for_port(self.port)
        return process

    def connected(self):
        connection = socket.create_connection(("127.0.0.1", self.port), support.WATCHDOG_S)
        self.addCleanup(connection.close)
        return connection

    def listening(self, family=socket.AF_INET):
        host = "127.0.0.1" if family == socket.AF_INET else "::1"
        listener = socket.create_server((host, self.port), family=family)
        listener.settimeout(support.WATCHDOG_S)
        self.addCleanup(listener.close)
        return listener


class TcpTest(TcpTestCase):
    def test_frames_from_python_are_messages(self):
        receiver = self.receiver("--null")
        connection = self.connected()
        large = os.urandom(700_000).replace(b"\0", b"1")
        connection.sendall(frame(b"one") + frame(b"") + frame(b"tw", MORE) + frame(b"o"))
        connection.sendall(frame(b"taken ba", MORE) + frame(b"ck", VOID) + frames_of(large))
        connection.close()
        out, _ = self.finish(receiver)
        self.assertEqual(out.split(b"\0"), [b"one", b"", b"two", large, b""])

    def test_messages_are_frames_for_python(self):
        listener = self.listening()
        sender = self.hawser("send", self.address, "--size", "300000")
        data = os.urandom(1_000_000)
        sender.stdin.write(data)
        sender.stdin.close()
        sender.stdin = None
        connection, _ = listener.accept()
        messages = messages_in(receive_all(connection))
        self.finish(sender)
        self.assertEqual([len(one) for one in messages], [300_000] * 3 + [100_000])
        self.assertEqual(b"".join(messages), data)

    def test_ipv6(self):
        address = f"tcp://[::1]:{self.port}"
        receiver = self.receiver(address=address)
        with socket.create_connection(("::1", self.port), support.WATCHDOG_S) as connection:
            connection.sendall(frame(b"six"))
        self.assertEqual(self.finish(receiver)[0], b"six\n")

    def test_a_web_browser_is_not_believed(self):
        receiver = self.receiver()
        connection = self.connected()
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        said = self.warned_and_goes_on(receiver)
        self.assertIn("corrupt", said)
        self.assertIn("byte_stream", said)

    def test_four_gib_are_announced_and_nothing_is_allocated(self):
        receiver = self.receiver()
        connection = self.connected()
        connection.sendall(b"hw\x01\x00\xff\xff\xff\xff")
        self.assertIn("corrupt", self.warned_and_goes_on(receiver))

    def warned_and_goes_on(self, receiver):
        """The warning; then another sender is heard, and the receiver ends with it."""
        said = receiver.stderr.readline().decode()
        with self.connected() as good:
            good.sendall(frame(b"good"))
        self.assertEqual(self.finish(receiver, status=Exit.BROKEN)[0], b"good\n")
        return said

    def test_a_peer_that_ends_in_a_message_is_peer_died(self):
        receiver = self.receiver()
        connection = self.connected()
        connection.sendall(frame(b"whole") + frame(b"half")[:-2])
        connection.close()
        out, said = self.finish(receiver, status=Exit.BROKEN)
        self.assertEqual(out, b"whole\n")
        self.assertIn("peer_died", said)

    def test_a_peer_that_does_not_read_makes_a_send_time_out(self):
        listener = self.listening()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sender = self.hawser(
            "send", self.address, "--size", "1MiB", "--timeout", "100ms", "--max_memory", "16KiB"
        )
        _, said = self.finish(sender, os.urandom(4 << 20), status=Exit.TIMED_OUT)
        self.assertIn("timed_out", said)

    def test_nobody_there(self):
        _, said = self.finish(
            self.hawser("send", self.address, "-m", "x", "--timeout", "50ms"),
            status=Exit.TIMED_OUT,
        )
        self.assertIn("timed_out", said)
        self.finish(
            self.hawser("send", self.address + "?create=open", "-m", "x"), status=Exit.NOT_FOUND
        )

    def test_a_second_listener_is_told_who_else(self):
        self.listening()
        _, said = self.finish(self.hawser("receive", self.address), status=Exit.FAILED)
        self.assertIn("already_exists", said)

    def test_a_file_goes_through_unchanged(self):
        given, taken = self.place / "given", self.place / "taken"
        given.write_bytes(os.urandom(32 << 20))
        with given.open("rb") as source, taken.open("wb") as target:
            receiver = self.hawser("receive", self.address, "--format", "raw", stdout=target)
            self.wait_for_port(self.port)
            self.finish(self.hawser("send", self.address, "--size", "64KiB", stdin=source))
            self.finish(receiver)
        self.assertEqual(digest(given), digest(taken))


class RawTcpTest(TcpTestCase):
    """--raw: what the other program writes is what comes out, and the other way round."""

    def setUp(self):
        super().setUp()
        self.given = self.place / "given"
        self.given.write_bytes(os.urandom(3_000_000))

    def assert_taken(self, taken):
        self.assertEqual(digest(taken), digest(self.given))

    def receive_from(self, *command, **extra):
        taken = self.place / "taken"
        with taken.open("wb") as target:
            receiver = self.receiver("--raw", stdout=target)
            self.finish(self.start(*command, **extra))
            self.finish(receiver)
        self.assert_taken(taken)

    def send_to(self, *command):
        taken = self.place / "taken"
        with taken.open("wb") as target, self.given.open("rb") as source:
            peer = self.start(*command, stdout=target)
            self.wait_for_port(self.port)
            self.finish(self.hawser("send", "--raw", self.address, stdin=source))
            self.finish(peer)
        self.assert_taken(taken)

    def test_from_nc(self):
        with self.given.open("rb") as source:
            self.receive_from("nc", "-N", "127.0.0.1", self.port, stdin=source)

    def test_to_nc(self):
        self.send_to("nc", "-l", "127.0.0.1", self.port)

    def test_from_socat(self):
        self.receive_from("socat", "-u", f"OPEN:{self.given}", f"TCP:127.0.0.1:{self.port}")

    def test_to_socat(self):
        self.send_to("socat", "-u", f"TCP-LISTEN:{self.port},bind=127.0.0.1", "-")

    def test_from_a_server_of_socat(self):
        taken = self.place / "taken"
        server = self.start(
            "socat", "-u", f"OPEN:{self.given}", f"TCP-LISTEN:{self.port},bind=127.0.0.1"
        )
        self.wait_for_port(self.port)
        with taken.open("wb") as target:
            receiver = self.hawser("receive", "--raw", "--connect", self.address, stdout=target)
            self.finish(receiver)
        self.finish(server)
        self.assert_taken(taken)

    def test_from_python(self):
        receiver = self.receiver("--raw")
        connection = self.connected()
        for piece in (b"a", b"\0\xff", b"no newline"):
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_WR)
        self.assertEqual(self.finish(receiver)[0], b"a\0\xffno newline")

    def test_to_python(self):
        listener = self.listening()
        with self.given.open("rb") as source:
            sender = self.hawser("send", "--raw", self.address, stdin=source)
            connection, _ = listener.accept()
            with connection:
                self.assertEqual(receive_all(connection), self.given.read_bytes())
            self.finish(sender)

    def test_a_reset_is_told(self):
        receiver = self.receiver("--raw")
        connection = self.connected()
        connection.sendall(b"x")
        self.assertEqual(receiver.stdout.read(1), b"x")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        _, said = self.finish(receiver, status=Exit.BROKEN)
        self.assertIn("peer_died", said)
