"""Pipes of the shell: hawser at one end, any program at the other."""

import os

import support
from support import Exit, frame, messages_in


class PipeTest(support.ForeignTest):
    def shell(self, script, stdin=None, status=0):
        """A script in which $H is hawser."""
        process = self.start("bash", "-c", script.replace("$H", str(support.HAWSER)))
        return self.finish(process, stdin, status)

    def test_raw_bytes_to_and_from_the_shells_own_pipe(self):
        data = os.urandom(2_000_000)
        self.assertEqual(self.shell("$H send --raw pipe:-,1 | cat", data)[0], data)
        self.assertEqual(self.shell("cat | $H receive --raw pipe:0,-", data)[0], data)

    def test_messages_between_two_programs(self):
        out = self.shell("seq 1000 | $H send pipe:-,1 | $H receive pipe:0,-")[0]
        self.assertEqual(out, b"".join(b"%d\n" % i for i in range(1, 1001)))

    def test_any_other_number(self):
        out = self.shell("$H receive pipe:7,- 7< <($H send pipe:-,1 -m hello)")[0]
        self.assertEqual(out, b"hello\n")

    def test_python_reads_frames_and_writes_them(self):
        reading, writing = os.pipe()
        sender = self.hawser("send", f"pipe:-,{writing}", "-m", "a", "-m", "bc",
                             pass_fds=[writing])
        os.close(writing)
        self.finish(sender)
        self.assertEqual(messages_in(os.read(reading, 65536)), [b"a", b"bc"])
        self.assertEqual(os.read(reading, 1), b"")  # the end: no other writer is left
        os.close(reading)

        reading, writing = os.pipe()
        receiver = self.hawser("receive", f"pipe:{reading},-", pass_fds=[reading])
        os.close(reading)
        os.write(writing, frame(b"from python"))
        os.close(writing)
        self.assertEqual(self.finish(receiver)[0], b"from python\n")

    def test_a_reader_that_goes_is_closed(self):
        reading, writing = os.pipe()
        os.close(reading)
        sender = self.hawser("send", f"pipe:-,{writing}", "-m", "a", pass_fds=[writing])
        os.close(writing)
        self.assertIn("closed", self.finish(sender, status=Exit.FAILED)[1])

    def test_garbage_and_halves(self):
        self.shell("echo no frame | $H receive pipe:0,-", status=Exit.BROKEN)
        half = self.start("bash", "-c", f"head -c 12 | {support.HAWSER} receive pipe:0,-")
        said = self.finish(half, frame(b"a longer message"), status=Exit.BROKEN)[1]
        self.assertIn("middle of a message", said)

    def test_wrong_descriptors_are_a_wrong_usage(self):
        for address in ("pipe:", "pipe:0", "pipe:77,-", "pipe:-,-"):
            said = self.finish(self.hawser("receive", address), b"", status=Exit.USAGE)[1]
            self.assertIn("invalid_argument", said)
        file = self.start(
            "sh", "-c", f"{support.HAWSER} receive pipe:0,- < {support.HAWSER}"
        )
        self.assertIn("no pipe", self.finish(file, status=Exit.USAGE)[1])
