"""What the tests with foreign peers share: programs under a watchdog, frames made by hand
(docs/formats/frame.md), free ports, and waiting until something is so."""

import os
import pathlib
import random
import select
import shutil
import socket
import struct
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HAWSER = ROOT / "build/release/bin/hawser"  # tests/foreign/run sets it from HAWSER_BIN
WATCHDOG_S = 60  # whatever takes longer hangs
LONGEST_FRAME = 256 * 1024
END, MORE, VOID = 1, 2, 3  # what becomes of a message after a frame


class Exit:
    """hawser(1), EXIT STATUS."""

    OK, FAILED, USAGE, NOT_FOUND, TIMED_OUT, PERMISSION, BROKEN, FULL = range(8)


def frame(payload, mark=END):
    return b"hw\x01\x00" + struct.pack("<I", len(payload)) + payload + bytes([mark])


def frames_of(message):
    """A message as a hawser sender writes it."""
    parts = [message[i : i + LONGEST_FRAME] for i in range(0, len(message), LONGEST_FRAME)]
    parts = parts or [b""]
    return b"".join(frame(part, MORE) for part in parts[:-1]) + frame(parts[-1])


def messages_in(stream):
    """The messages in the bytes that a hawser sender wrote; ValueError where they are no frames."""
    messages, parts, at = [], [], 0
    while at < len(stream):
        magic, version, descriptors, size = struct.unpack_from("<2sBBI", stream, at)
        if (magic, version, descriptors) != (b"hw", 1, 0) or size > LONGEST_FRAME:
            raise ValueError(f"no frame at byte {at}")
        payload, mark = stream[at + 8 : at + 8 + size], stream[at + 8 + size]
        at += size + 9
        if mark == VOID:
            parts = []
            continue
        parts.append(payload)
        if mark == END:
            messages.append(b"".join(parts))
            parts = []
        elif mark != MORE:
            raise ValueError(f"the mark before byte {at} is {mark}")
    if parts:
        raise ValueError("the last message has no end")
    return messages


def free_port(kind=socket.SOCK_STREAM, family=socket.AF_INET):
    """Below the range from which the system takes ports by itself."""
    for _ in range(1000):
        port = random.randrange(20000, 32000)
        with socket.socket(family, kind) as probe:
            try:
                probe.bind(("127.0.0.1" if family == socket.AF_INET else "::1", port))
                return port
            except OSError:
                continue
    raise AssertionError("no port is free")


def receive_all(connection):
    """What comes until the other side ends."""
    pieces = []
    while piece := connection.recv(1 << 16):
        pieces.append(piece)
    return b"".join(pieces)


def pause():
    """Between two looks; nothing else is waited for."""
    select.select([], [], [], 0.01)


class ForeignTest(unittest.TestCase):
    maxDiff = 2000

    def setUp(self):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="hawser-foreign.", dir="/dev/shm"))
        self.addCleanup(shutil.rmtree, self.place)
        self.environment = dict(os.environ, HAWSER_DIR=str(self.place), LC_ALL="C.UTF-8")
        self.running = []
        self.addCleanup(self.end_all)

    def end_all(self):
        for process in self.running:
            if process.poll() is None:
                process.kill()
            process.communicate(timeout=WATCHDOG_S)

    # ---- running ------------------------------------------------------------------------------

    def start(self, *command, **extra):
        """Starts any program; it is killed at the end of the test, if it still runs."""
        for stream in ("stdin", "stdout", "stderr"):
            extra.setdefault(stream, subprocess.PIPE)
        process = subprocess.Popen([str(part) for part in command], env=self.environment, **extra)
        self.running.append(process)
        return process

    def hawser(self, *arguments, **extra):
        return self.start(HAWSER, *arguments, **extra)

    def finish(self, process, stdin=None, status=Exit.OK):
        """Waits for its end; gives its stdout and stderr."""
        out, err = process.communicate(stdin, timeout=WATCHDOG_S)
        said = (err or b"").decode(errors="replace")
        self.assertEqual(process.returncode, status, said)
        return out, said

    # ---- waiting ------------------------------------------------------------------------------

    def wait_until(self, condition, what, patience_s=WATCHDOG_S):
        give_up = time.monotonic() + patience_s
        while not condition():
            if time.monotonic() > give_up:
                self.fail(f"waited in vain for: {what}")
            pause()

    def wait_for_port(self, port, kind="tcp", of="self"):
        """Until somebody has the port, without connecting to it. of: a process id, whose network
        it is."""
        listening = "0A" if kind == "tcp" else "07"

        def is_so():
            for table in (kind, kind + "6"):
                try:
                    text = pathlib.Path(f"/proc/{of}/net/{table}").read_text()
                except FileNotFoundError:
                    return True  # its sender was waiting: it has had the port, and is done
                lines = text.splitlines()[1:]
                for line in lines:
                    local, _, state = line.split()[1:4]
                    if state == listening and int(local.rsplit(":", 1)[1], 16) == port:
                        return True
            return False

        self.wait_until(is_so, f"{kind} port {port}")
