"""Unix sockets with peers that know nothing of hawser: Python's sockets and socat."""

import array
import os
import pathlib
import shutil
import socket
import stat
import struct
import unittest

import support
from support import END, MORE, VOID, Exit, frame, frames_of, messages_in, receive_all

KINDS = {
    "unix": socket.SOCK_STREAM,
    "unix-seqpacket": socket.SOCK_SEQPACKET,
    "unix-dgram": socket.SOCK_DGRAM,
}


class UnixSockets(support.ForeignTest):
    def setUp(self):
        super().setUp()
        self.path = self.place / "s"

    def socket(self, scheme):
        made = socket.socket(socket.AF_UNIX, KINDS[scheme])
        made.settimeout(support.WATCHDOG_S)
        self.addCleanup(made.close)
        return made

    def receiver(self, scheme, *flags, rest=None):
        rest = rest or self.path
        process = self.hawser("receive", f"{scheme}:{rest}", *flags)
        self.wait_until(lambda: self.accepts(scheme, str(rest)), f"a receiver at {rest}")
        return process

    def accepts(self, scheme, rest):
        """Somebody is bound there and listens, seen without connecting."""
        for line in pathlib.Path("/proc/net/unix").read_text(errors="replace").splitlines()[1:]:
            words = line.split(maxsplit=7)
            if len(words) == 8 and words[7] == rest:
                return scheme == "unix-dgram" or int(words[3], 16) & 0x10000 != 0
        return False

    def connected(self, scheme, rest=None):
        made = self.socket(scheme)
        name = str(rest or self.path)
        made.connect("\0" + name[1:] if name.startswith("@") else name)
        return made

    def bound(self, scheme):
        made = self.socket(scheme)
        made.bind(str(self.path))
        if scheme != "unix-dgram":
            made.listen()
        return made


class PythonTest(UnixSockets):
    # ---- messages -----------------------------------------------------------------------------

    def test_frames_from_python_are_messages(self):
        receiver = self.receiver("unix", "--null")
        connection = self.connected("unix")
        large = os.urandom(700_000).replace(b"\0", b"1")
        connection.sendall(frame(b"one") + frame(b"") + frame(b"tw", MORE) + frame(b"o"))
        connection.sendall(frame(b"taken ba", MORE) + frame(b"ck", VOID) + frames_of(large))
        connection.close()
        out, _ = self.finish(receiver)
        self.assertEqual(out.split(b"\0"), [b"one", b"", b"two", large, b""])
        self.assertFalse(self.path.exists(), "the file goes with its receiver")

    def test_messages_are_frames_for_python(self):
        listener = self.bound("unix")
        data = os.urandom(1_000_000)
        (self.place / "data").write_bytes(data)
        with (self.place / "data").open("rb") as source:
            sender = self.hawser("send", f"unix:{self.path}", "--size", "300000", stdin=source)
        connection, _ = listener.accept()
        messages = messages_in(receive_all(connection))
        self.finish(sender)
        self.assertEqual([len(one) for one in messages], [300_000] * 3 + [100_000])
        self.assertEqual(b"".join(messages), data)

    def test_packets_from_python_are_messages(self):
        large = os.urandom(150_000).replace(b"\0", b"1")
        for scheme in ("unix-seqpacket", "unix-dgram"):
            with self.subTest(scheme):
                receiver = self.receiver(scheme, "--null", "--count", "4")
                other = self.connected(scheme)
                for message in (b"one", b"", large, b"last"):
                    other.send(message)
                out, _ = self.finish(receiver)
                self.assertEqual(out.split(b"\0"), [b"one", b"", large, b"last", b""])

    def test_messages_are_packets_for_python(self):
        for scheme in ("unix-seqpacket", "unix-dgram"):
            with self.subTest(scheme):
                listener = self.bound(scheme)
                sender = self.hawser("send", f"{scheme}:{self.path}")
                # More than wait in a datagram queue: the sender waits for us.
                lines = [b"line %d" % i for i in range(500)]
                sender.stdin.write(b"\n".join(lines) + b"\n")
                sender.stdin.close()
                sender.stdin = None
                other = listener if scheme == "unix-dgram" else listener.accept()[0]
                got = [other.recv(1000) for _ in lines]
                self.finish(sender)
                self.assertEqual(got, lines)
                if scheme == "unix-seqpacket":
                    self.assertEqual(other.recv(1000), b"", "the end")
                listener.close()
                self.path.unlink()

    def test_abstract_names(self):
        for scheme in KINDS:
            with self.subTest(scheme):
                rest = f"@hawser-foreign-{os.getpid()}-{scheme}"
                receiver = self.receiver(scheme, "--count", "1", rest=rest)
                other = self.connected(scheme, rest)
                other.send(frame(b"hello") if scheme == "unix" else b"hello")
                self.assertEqual(self.finish(receiver)[0], b"hello\n")

    def test_python_reads_who_sent(self):
        listener = self.bound("unix-dgram")
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        sender = self.hawser("send", f"unix-dgram:{self.path}", "--message", "x")
        data, ancillary, _, _ = listener.recvmsg(100, socket.CMSG_SPACE(struct.calcsize("3i")))
        self.finish(sender)
        self.assertEqual(data, b"x")
        self.assertEqual(struct.unpack("3i", ancillary[0][2])[0], sender.pid)

    # ---- descriptors --------------------------------------------------------------------------

    def test_descriptors_that_nobody_takes_are_closed(self):
        for scheme in KINDS:
            with self.subTest(scheme):
                receiver = self.receiver(scheme, "--count", "41")
                other = self.connected(scheme)
                own = pathlib.Path(f"/proc/{receiver.pid}/fd")
                announced = b"hw\x01\x02" + struct.pack("<I", 1) + b"x" + bytes([END])
                message = announced if scheme == "unix" else b"x"
                rights = [
                    (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, other.fileno()]))
                ]
                other.sendmsg([message], rights)
                self.assertEqual(receiver.stdout.read(2), b"x\n")
                before = len(os.listdir(own))
                for _ in range(20):
                    other.sendmsg([message], rights)
                    # Announced by nobody, on a stream.
                    other.sendmsg([frame(b"y") if scheme == "unix" else b"y"], rights)
                    self.assertEqual(receiver.stdout.read(4), b"x\ny\n")
                    self.assertLessEqual(len(os.listdir(own)), before + 4)
                self.finish(receiver)

    # ---- names --------------------------------------------------------------------------------

    def test_what_python_leaves_behind_is_replaced_and_what_it_uses_is_not(self):
        for scheme in KINDS:
            with self.subTest(scheme):
                live = self.bound(scheme)
                before = os.stat(self.path).st_ino
                refused = self.hawser("receive", f"{scheme}:{self.path}")
                _, said = self.finish(refused, status=Exit.FAILED)
                self.assertIn("already_exists", said)
                self.assertIn(f"process {os.getpid()}", said)
                self.assertEqual(os.stat(self.path).st_ino, before)
                live.close()
                self.assertTrue(self.path.exists(), "it is stale now")
                receiver = self.hawser("receive", f"{scheme}:{self.path}", "--count", "1")
                self.wait_until(
                    lambda old=before: self.path.exists() and os.stat(self.path).st_ino != old,
                    "a new socket",
                )
                self.wait_until(lambda s=scheme: self.accepts(s, str(self.path)), "it listens")
                self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)
                other = self.connected(scheme)
                other.send(frame(b"hello") if scheme == "unix" else b"hello")
                self.assertEqual(self.finish(receiver)[0], b"hello\n")

    def test_a_killed_receiver_leaves_a_name_that_can_be_had(self):
        for scheme in KINDS:
            with self.subTest(scheme):
                victim = self.receiver(scheme)
                victim.kill()
                victim.communicate(timeout=support.WATCHDOG_S)
                self.assertTrue(self.path.is_socket())
                successor = self.receiver(scheme, "--count", "1")
                self.finish(self.hawser("send", f"{scheme}:{self.path}", "--message", "x"))
                self.assertEqual(self.finish(successor)[0], b"x\n")

    # ---- nonsense -----------------------------------------------------------------------------

    def test_bytes_that_are_no_frames_are_told(self):
        for nonsense in (b"GET / HTTP/1.1\r\n\r\n", b"hw\x01\x00\xff\xff\xff\xff"):
            receiver = self.receiver("unix")
            self.connected("unix").sendall(nonsense)
            self.assertIn(b"corrupt", receiver.stderr.readline())
            with self.connected("unix") as good:
                good.sendall(frame(b"good"))
            self.assertEqual(self.finish(receiver, status=Exit.BROKEN)[0], b"good\n")

    def test_half_a_frame_is_told(self):
        receiver = self.receiver("unix")
        connection = self.connected("unix")
        connection.sendall(frame(b"whole") + frame(b"half of it")[:12])
        connection.close()
        out, said = self.finish(receiver, status=Exit.BROKEN)
        self.assertEqual(out, b"whole\n")
        self.assertIn("peer_died", said)


@unittest.skipUnless(shutil.which("socat"), "socat is not installed")
class SocatTest(UnixSockets):
    """socat carries the bytes; frames are made by hand."""

    def socat(self, *ends, **extra):
        return self.start("socat", *ends, **extra)

    def test_socat_connects(self):
        for kind, scheme in (("5", "unix-seqpacket"), ("1", "unix")):
            with self.subTest(scheme):
                receiver = self.receiver(scheme)
                socat = self.socat("-u", "-", f"UNIX-CONNECT:{self.path},type={kind}")
                self.finish(socat, frame(b"one") if scheme == "unix" else b"one")
                self.assertEqual(self.finish(receiver)[0], b"one\n")

    def test_socat_sends_datagrams(self):
        receiver = self.receiver("unix-dgram", "--count", "1")
        self.finish(self.socat("-u", "-", f"UNIX-SENDTO:{self.path}"), b"datagram")
        self.assertEqual(self.finish(receiver)[0], b"datagram\n")

    def test_socat_listens(self):
        socat = self.socat("-u", f"UNIX-LISTEN:{self.path}", "-")
        self.finish(self.hawser("send", f"unix:{self.path}", "--message", "to socat"))
        self.assertEqual(messages_in(self.finish(socat)[0]), [b"to socat"])

    def test_socat_receives_datagrams(self):
        socat = self.socat("-u", f"UNIX-RECV:{self.path}", "-")
        self.finish(self.hawser("send", f"unix-dgram:{self.path}", "--message", "to socat"))
        self.assertEqual(socat.stdout.read(8), b"to socat")

    # ---- raw bytes: --raw ---------------------------------------------------------------------

    def test_raw_bytes_from_socat(self):
        data = os.urandom(1_000_000)
        with (self.place / "out").open("wb") as out:
            receiver = self.hawser("receive", f"unix:{self.path}", "--raw", stdout=out)
        self.wait_until(lambda: self.accepts("unix", str(self.path)), "hawser listens")
        self.finish(self.socat("-u", "-", f"UNIX-CONNECT:{self.path}"), data)
        self.finish(receiver)
        self.assertEqual((self.place / "out").read_bytes(), data)

    def test_raw_bytes_to_socat(self):
        data = os.urandom(1_000_000)
        with (self.place / "out").open("wb") as out:
            socat = self.socat("-u", f"UNIX-LISTEN:{self.path}", "-", stdout=out)
        self.wait_until(lambda: self.accepts("unix", str(self.path)), "socat listens")
        self.finish(self.hawser("send", f"unix:{self.path}", "--raw"), data)
        self.finish(socat)
        self.assertEqual((self.place / "out").read_bytes(), data)
