"""UDP with peers that know nothing of hawser: each datagram is a message, as it is."""

import socket

import support
from support import Exit


class UdpTest(support.ForeignTest):
    def setUp(self):
        super().setUp()
        self.port = support.free_port(socket.SOCK_DGRAM)
        self.address = f"udp://127.0.0.1:{self.port}"

    def receiver(self, *flags, address=None):
        process = self.hawser("receive", address or self.address, *flags)
        self.wait_for_port(self.port, "udp")
        return process

    def test_datagrams_from_python_are_messages(self):
        receiver = self.receiver("--format", "quoted", "--count", 3)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            for payload in (b"plain", b"", b"hw\x01\x00 no header \xff"):
                out.sendto(payload, ("127.0.0.1", self.port))
        out, _ = self.finish(receiver)
        lines = out.decode().splitlines()
        self.assertEqual(len(lines), 3)
        self.assertIn("plain", lines[0])
        self.assertIn("no header", lines[2])

    def test_messages_are_datagrams_for_python(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as into:
            into.bind(("127.0.0.1", self.port))
            into.settimeout(support.WATCHDOG_S)
            into.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            sender = self.hawser("send", self.address, "-m", "one", "-m", "", "-m", "three")
            self.assertEqual([into.recv(100) for _ in range(3)], [b"one", b"", b"three"])
            self.finish(sender)
            large = bytes(range(256)) * 250
            self.finish(self.hawser("send", self.address, "--whole"), large)
            self.assertEqual(into.recv(1 << 16), large)

    def test_ipv6_both_ways_with_python(self):
        address = f"udp://[::1]:{self.port}"
        receiver = self.receiver("--count", 1, address=address)
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as out:
            out.sendto(b"six", ("::1", self.port))
        self.assertEqual(self.finish(receiver)[0], b"six\n")
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as into:
            into.bind(("::1", self.port))
            into.settimeout(support.WATCHDOG_S)
            self.finish(self.hawser("send", address, "-m", "six"))
            self.assertEqual(into.recv(100), b"six")

    def test_socat_and_nc_send(self):
        receiver = self.receiver("--count", 2)
        self.finish(self.start("socat", "-u", "-", f"UDP:127.0.0.1:{self.port}"), b"of socat")
        # -q 0: ends with its input; -N would have no meaning without connections.
        self.finish(self.start("nc", "-u", "-q", "0", "127.0.0.1", self.port), b"of nc")
        self.assertEqual(self.finish(receiver)[0].splitlines(), [b"of socat", b"of nc"])

    def test_socat_receives(self):
        # Exits after one datagram; datagrams end nothing by themselves.
        socat = self.start("socat", "-u", f"UDP-RECVFROM:{self.port}", "-")
        self.wait_for_port(self.port, "udp")
        self.finish(self.hawser("send", self.address, "-m", "to socat"))
        self.assertEqual(self.finish(socat)[0], b"to socat")

    def test_nobody_there_is_told_at_the_second_message(self):
        _, said = self.finish(
            self.hawser("send", self.address, "-m", "lost", "-m", "told"), status=Exit.NOT_FOUND
        )
        self.assertIn("not_found", said)
        self.assertIn("nobody receives on that port", said)

    def test_a_datagram_above_the_limit_is_told_with_its_size(self):
        receiver = self.receiver("--max_message", "100", "--count", 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.sendto(b"x" * 101, ("127.0.0.1", self.port))
            out.sendto(b"y" * 100, ("127.0.0.1", self.port))
        out, said = self.finish(receiver, status=Exit.FAILED)
        self.assertEqual(out, b"y" * 100 + b"\n")
        self.assertIn("101 bytes", said)
