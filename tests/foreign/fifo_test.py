"""FIFOs with cat, dd, head, wc and hand-made frames at the other side."""

import hashlib
import os
import select

import support
from support import Exit, frame, messages_in


class FifoTest(support.ForeignTest):
    def setUp(self):
        super().setUp()
        self.path = self.place / "fifo"
        self.address = f"fifo:{self.path}"
        self.data = os.urandom(3_000_000)

    def made(self):
        os.mkfifo(self.path)  # by hand: hawser is not to remove it

    def wait_for_fifo(self):
        self.wait_until(self.path.exists, "the FIFO")

    def raw_receiver(self):
        """Its output goes to a file: nobody reads along."""
        with open(self.place / "out", "wb") as out:
            process = self.hawser("receive", "--raw", self.address, stdout=out)
        self.wait_for_fifo()
        return process

    def received(self, process):
        self.finish(process)
        return (self.place / "out").read_bytes()

    # ---- raw bytes ----------------------------------------------------------------------------

    def test_cat_reads_what_hawser_sends(self):
        self.made()
        with open(self.place / "out", "wb") as out:
            cat = self.start("cat", self.path, stdout=out)
        self.finish(self.hawser("send", "--raw", self.address), self.data)
        self.assertEqual(self.received(cat), self.data)

    def test_hawser_reads_what_cat_writes(self):
        receiver = self.raw_receiver()
        cat = self.start("sh", "-c", f"cat > {self.path}")
        self.finish(cat, self.data)
        self.assertEqual(self.received(receiver), self.data)
        self.assertFalse(self.path.exists())  # the last one took along what hawser made

    def test_a_file_is_sent(self):
        self.made()
        file = self.place / "file"
        file.write_bytes(self.data)
        digest = self.start("sh", "-c", f"sha256sum < {self.path}")
        self.finish(self.hawser("send", "--raw", self.address, file, file))
        expected = hashlib.sha256(self.data * 2).hexdigest().encode()
        self.assertEqual(self.finish(digest)[0].split()[0], expected)

    def test_dd_writes_in_odd_pieces(self):
        receiver = self.raw_receiver()
        dd = self.start("dd", "bs=4097", f"of={self.path}", "conv=notrunc", "status=none")
        self.finish(dd, self.data)
        self.assertEqual(self.received(receiver), self.data)

    def test_wc_counts_lines(self):
        self.made()
        count = self.start("sh", "-c", f"wc -l < {self.path}")
        self.finish(self.hawser("send", "--raw", self.address), b"a line\n" * 1000)
        self.assertEqual(int(self.finish(count)[0]), 1000)

    def test_a_reader_that_closes_early_is_closed(self):
        self.made()
        head = self.start("head", "-c", "10", self.path)
        sender = self.hawser("send", "--raw", self.address)
        said = self.finish(sender, self.data, status=Exit.FAILED)[1]
        self.assertIn("closed: the other side reads no more", said)
        self.assertEqual(self.finish(head)[0], self.data[:10])

    def test_an_early_end_of_stdout_is_silent(self):
        pipeline = self.start(
            "sh", "-c", f"{support.HAWSER} receive --raw {self.address} | head -c 10"
        )
        self.wait_for_fifo()
        writer = self.start("sh", "-c", f"cat > {self.path} 2>&1; true")
        self.finish(writer, self.data)
        self.assertEqual(self.finish(pipeline), (self.data[:10], ""))

    def test_a_writer_that_only_opened_is_an_end(self):
        receiver = self.raw_receiver()
        self.finish(self.start("sh", "-c", f": > {self.path}"))
        self.assertEqual(self.received(receiver), b"")

    # ---- messages -----------------------------------------------------------------------------

    def test_frames_from_python_are_messages(self):
        receiver = self.hawser("receive", "--null", self.address)
        self.wait_for_fifo()
        with open(self.path, "wb", buffering=0) as fifo:
            fifo.write(frame(b"one") + frame(b""))
            fifo.write(frame(b"x" * 4000))
        self.assertEqual(self.finish(receiver)[0], b"one\0\0" + b"x" * 4000 + b"\0")

    def test_python_reads_frames(self):
        self.made()
        fifo = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        sender = self.hawser("send", self.address, "-m", "one", "-m", "", "-m", "three")
        select.select([fifo], [], [], support.WATCHDOG_S)
        self.finish(sender)
        packets = [messages_in(os.read(fifo, 65536)) for _ in range(3)]
        self.assertEqual(packets, [[b"one"], [b""], [b"three"]])
        self.assertEqual(os.read(fifo, 1), b"")
        os.close(fifo)

    def test_garbage_is_corrupt(self):
        receiver = self.hawser("receive", self.address)
        self.wait_for_fifo()
        self.finish(self.start("sh", "-c", f"echo this is no frame > {self.path}"))
        said = self.finish(receiver, status=Exit.BROKEN)[1]
        self.assertIn("--raw", said)

    def test_half_a_frame_is_a_death(self):
        receiver = self.hawser("receive", self.address)
        self.wait_for_fifo()
        with open(self.path, "wb", buffering=0) as fifo:
            fifo.write(frame(b"whole") + frame(b"half of it")[:-5])
        out = self.finish(receiver, status=Exit.BROKEN)[0]
        self.assertEqual(out, b"whole\n")

    # ---- what has the name --------------------------------------------------------------------

    def test_what_is_no_fifo_is_refused(self):
        self.path.write_text("mine")
        said = self.finish(self.hawser("receive", self.address), status=Exit.BROKEN)[1]
        self.assertIn("regular file", said)
        self.assertEqual(self.path.read_text(), "mine")

    def test_nobody_there_times_out_and_leaves_nothing(self):
        for raw in ([], ["--raw"]):
            sender = self.hawser("send", *raw, self.address, "-m", "x", "--timeout", "20ms")
            self.finish(sender, status=Exit.TIMED_OUT)
            self.assertFalse(self.path.exists())

    def test_a_killed_receiver_leaves_a_fifo_that_is_listed_and_used_again(self):
        receiver = self.hawser("receive", self.address)
        self.wait_for_fifo()
        receiver.kill()
        receiver.wait()
        listed = self.finish(self.hawser("gc", "--dry-run"))[0].decode()
        self.assertIn(self.address, listed)
        receiver = self.hawser("receive", self.address + "?create=open")
        self.finish(self.hawser("send", self.address, "-m", "again"))
        self.assertEqual(self.finish(receiver)[0], b"again\n")
        self.assertFalse(self.path.exists())
