"""Terminals with socat and cat at the other side."""

import os

import support


class PtyTest(support.ForeignTest):
    def setUp(self):
        super().setUp()
        # Every byte, also those that a terminal would take for a key.
        self.data = bytes(range(256)) * 2000

    def test_what_socat_writes_on_a_terminal_is_read(self):
        file, link = self.place / "file", self.place / "terminal"
        file.write_bytes(self.data)
        # It stays when all is written: a terminal that is hung up loses what was not read yet.
        socat = self.start(
            "socat", "-u", f"OPEN:{file},ignoreeof", f"PTY,link={link},rawer,wait-slave"
        )
        self.wait_until(link.exists, "the terminal")
        with open(self.place / "out", "wb") as out:
            receiver = self.hawser("receive", "--raw", f"pty:{link}", stdout=out)
        self.wait_until(lambda: (self.place / "out").stat().st_size >= len(self.data), "all bytes")
        socat.kill()
        self.finish(receiver)
        self.assertEqual((self.place / "out").read_bytes(), self.data)

    def test_socat_reads_what_is_sent_to_a_terminal(self):
        file, link = self.place / "file", self.place / "terminal"
        socat = self.start("socat", "-u", f"PTY,link={link},rawer,wait-slave", f"CREATE:{file}")
        self.wait_until(link.exists, "the terminal")
        self.finish(self.hawser("send", "--raw", f"pty:{link}"), self.data)
        self.finish(socat)
        self.assertEqual(file.read_bytes(), self.data)

    def test_cat_on_the_terminal_of_a_program(self):
        out = self.finish(self.hawser("run", "--pty", "--", "cat"), b"one\ntwo\n")[0]
        self.assertEqual(out, b"one\r\ntwo\r\n")

    def test_stty_sees_a_terminal(self):
        script = "stty -a < /dev/tty | head -1"
        run = self.hawser("run", "--pty", "--", "sh", "-c", script)
        lines = self.finish(run)[0].decode().splitlines()
        self.assertIn("rows 24; columns 80", lines[0])

    def test_what_is_no_terminal_is_refused(self):
        for path in ("/dev/null", os.devnull, str(support.HAWSER)):
            run = self.hawser("receive", "--raw", f"pty:{path}")
            self.assertIn("no terminal", self.finish(run, status=support.Exit.BROKEN)[1])
