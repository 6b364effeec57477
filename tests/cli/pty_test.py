"""run --pty: programs on a terminal of their own; and raw bytes of pty: streams."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

import support
from support import CliTest, Exit


class PtyTest(CliTest):
    def shown(self, *program, stdin=b"", status=0):
        out = self.out("run", "--pty", "--", *program, stdin=stdin, status=status)
        return out.replace(b"\r\n", b"\n")

    # ---- standard input is no terminal ------------------------------------------------------

    def test_the_program_has_a_terminal(self):
        self.assertRegex(self.shown("tty"), rb"^/dev/pts/\d+\n$")
        self.shown("sh", "-c", "test -t 0 && test -t 1 && test -t 2")
        self.shown("sh", "-c", "echo x > /dev/tty")  # it is the controlling one

    def test_the_size_is_usual_where_ours_is_unknown(self):
        self.assertEqual(self.shown("stty", "size"), b"24 80\n")

    def test_input_is_not_echoed_and_ends(self):
        self.assertEqual(self.shown("cat", stdin=b"hello\n"), b"hello\n")
        self.assertEqual(self.shown("cat", stdin=b"no newline"), b"no newline")
        self.assertEqual(self.shown("cat"), b"")
        lines = b"".join(b"%d\n" % i for i in range(20_000))
        self.assertEqual(self.shown("cat", stdin=lines), lines)

    def test_the_exit_status_is_the_programs(self):
        self.shown("sh", "-c", "exit 7", status=7)
        self.shown("sh", "-c", "kill -KILL $$", status=137)
        self.shown("no-such-program-here", status=127)
        self.shown("/etc/passwd", status=126)

    def test_a_shell_is_interactive(self):
        out = self.shown("bash", "--norc", "--noediting", "-i",
                         stdin=b"echo $((6*7)); exit 3\n", status=3)
        self.assertIn(b"42\n", out)

    def test_output_that_nobody_reads_ends_the_program(self):
        process = self.spawn("run", "--pty", "--", "yes")
        process.stdout.read(100)
        process.stdout.close()
        process.stdout = None
        self.finish(process, status=128 + signal.SIGPIPE)

    def test_what_it_left_running_is_not_waited_for(self):
        # The background process keeps the terminal open, and ignores its hanging up.
        out = self.shown("sh", "-c", "trap '' HUP; tail -f /dev/null & echo $!")
        os.kill(int(out), signal.SIGKILL)

    def test_sigterm_hangs_up(self):
        process = self.spawn("run", "--pty", "--", "sh", "-c", "echo ready; cat")
        self.assertEqual(process.stdout.readline(), b"ready\r\n")
        process.send_signal(signal.SIGTERM)
        self.finish(process, status=128 + signal.SIGTERM)

    def test_only_one_program(self):
        self.hawser("run", "--pty", "--", "ls", ":::", "wc", status=Exit.USAGE)
        self.hawser("run", "--pty", "--report", "always", "--", "ls", status=Exit.USAGE)

    # ---- standard input is a terminal --------------------------------------------------------

    def on_terminal(self, *program):
        """Our end of a terminal on which hawser runs the program on another one."""
        ours, its = pty.openpty()
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 101, 0, 0))
        process = self.spawn("run", "--pty", "--", *program, stdin=its, stdout=its, stderr=its,
                             start_new_session=True)
        self.addCleanup(os.close, ours)
        self.addCleanup(os.close, its)
        return process, ours, its

    def read_until(self, ours, what):
        text = b""
        give_up = time.monotonic() + support.WATCHDOG_S
        while what not in text:
            if not select.select([ours], [], [], give_up - time.monotonic())[0]:
                self.fail(f"no {what} in {text}")
            text += os.read(ours, 4096)
        return text

    def test_the_size_is_ours_and_follows_it(self):
        script = 'trap "stty size" WINCH; stty size; echo ready; while :; do read x; done'
        process, ours, its = self.on_terminal("bash", "-c", script)
        self.assertIn(b"33 101", self.read_until(ours, b"ready"))
        # hawser leads the session of no terminal here, so the signal is sent by hand.
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 44, 55, 0, 0))
        process.send_signal(signal.SIGWINCH)
        os.write(ours, b"\n")
        self.read_until(ours, b"44 55")
        # bash outlives a Ctrl-C that comes while it still waits for stty: so until it has ended.
        give_up = time.monotonic() + support.WATCHDOG_S
        while process.poll() is None and time.monotonic() < give_up:
            os.write(ours, b"\x03")
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.1)
        self.finish(process, status=128 + signal.SIGINT)

    def test_our_terminal_is_raw_meanwhile_and_then_as_before(self):
        for ending, status in ((b"\x04", 0), (b"\x03", 130), (b"\x1c", 131), (None, 143)):
            process, ours, its = self.on_terminal("sh", "-c", "ulimit -c 0; echo ready; exec cat")
            before = termios.tcgetattr(its)
            self.read_until(ours, b"ready")
            self.assertFalse(termios.tcgetattr(its)[3] & (termios.ICANON | termios.ECHO))
            if ending:
                os.write(ours, ending)
            else:
                process.send_signal(signal.SIGTERM)
            self.finish(process, status=status)
            self.assertEqual(termios.tcgetattr(its), before)

    # ---- pty: as a stream ---------------------------------------------------------------------

    def test_raw_bytes_of_a_terminal(self):
        ours, its = pty.openpty()
        path = os.ttyname(its)
        out = open(self.place / "out", "wb")
        receiver = self.spawn("receive", "--raw", f"pty:{path}", stdout=out)
        out.close()
        self.wait_until(lambda: not termios.tcgetattr(its)[3] & termios.ICANON, "raw mode")
        os.write(ours, b"a\x03b\x04\r\n")
        self.wait_until(lambda: (self.place / "out").stat().st_size >= 6, "the bytes")
        os.close(its)
        os.close(ours)
        self.finish(receiver)
        self.assertEqual((self.place / "out").read_bytes(), b"a\x03b\x04\r\n")

    def test_a_terminal_has_no_messages(self):
        said = self.err("receive", "pty:", status=Exit.FAILED)
        self.assertIn("--raw", said)
