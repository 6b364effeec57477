"""send and receive: what becomes a message, in which form it comes out, when it ends."""

import base64
import json
import random
import struct
import subprocess

from support import CliTest, Exit

BYTES = bytes(range(256))


class SendTest(CliTest):
    def sent(self, *arguments, stdin=b""):
        """What `send` made of its input, as a list of messages."""
        self.hawser("send", "box", *arguments, stdin=stdin)
        frames = self.out("receive", "box", "--idle", "0s", "--format", "frame")
        self.assert_nothing_left()
        return split_frames(frames)

    def test_lines(self):
        self.assertEqual(self.sent(stdin=b"one\ntwo\n"), [b"one", b"two"])

    def test_a_last_line_without_newline_is_a_message(self):
        self.assertEqual(self.sent(stdin=b"one\ntwo"), [b"one", b"two"])

    def test_an_empty_line_is_an_empty_message(self):
        self.assertEqual(self.sent(stdin=b"\n\nx\n\n"), [b"", b"", b"x", b""])

    def test_no_input_is_no_message(self):
        self.hawser("send", "box")
        self.assert_nothing_left()

    def test_lines_longer_than_a_block(self):
        long = b"x" * 3_000_000
        self.assertEqual(self.sent(stdin=b"a\n" + long + b"\nb\n"), [b"a", long, b"b"])

    def test_null(self):
        self.assertEqual(self.sent("--null", stdin=b"a\nb\0\0c"), [b"a\nb", b"", b"c"])

    def test_whole(self):
        self.assertEqual(self.sent("--whole", stdin=BYTES * 9000), [BYTES * 9000])

    def test_whole_of_nothing_is_an_empty_message(self):
        self.assertEqual(self.sent("--whole"), [b""])

    def test_size(self):
        self.assertEqual(self.sent("--size", "4", stdin=b"abcdefghij"), [b"abcd", b"efgh", b"ij"])

    def test_size_with_a_unit(self):
        pieces = self.sent("--size", "1KiB", stdin=BYTES * 8)
        self.assertEqual(pieces, [BYTES * 4] * 2)

    def test_frames(self):
        messages = [b"", b"a", BYTES * 300, b"\n\0"]
        self.assertEqual(self.sent("--frames", stdin=join_frames(messages)), messages)

    def test_message(self):
        given = ["--message", "a b", "-m", "", "-m", "c\nd"]
        self.assertEqual(self.sent(*given, stdin=b"not read\n"), [b"a b", b"", b"c\nd"])

    def test_files(self):
        (self.place / "a").write_bytes(b"1\n2")
        (self.place / "b").write_bytes(b"4\n")
        files = [self.place / "a", "-", self.place / "b"]
        self.assertEqual(self.sent(*files, stdin=b"3\n"), [b"1", b"2", b"3", b"4"])

    def test_whole_files(self):
        (self.place / "a").write_bytes(b"1\n2")
        (self.place / "b").write_bytes(b"")
        files = [self.place / "a", self.place / "b"]
        self.assertEqual(self.sent("--whole", *files), [b"1\n2", b""])

    def test_json_says_how_much(self):
        done = self.document("send", "box", stdin=b"one\ntwo\n", schema="send")
        self.assertEqual((done["messages"], done["bytes"], done["dropped"]), (2, 6, 0))
        self.assertEqual(done["address"], "shm:box")

    def test_quiet_unless_asked(self):
        self.assertEqual(self.err("send", "box", stdin=b"x\n"), "")
        self.assertRegex(self.err("send", "box", "-v", stdin=b"x\n"), r"^sent 1 message, 1B in ")

    def test_options_of_the_address_and_flags_meet(self):
        self.hawser("send", "box?capacity=3", "--max_message", "1KiB", stdin=b"x\n")
        geometry = self.info("box")["geometry"]
        self.assertEqual((geometry["capacity"], geometry["max_message"]), (3, 1024))

    def test_drop_oldest(self):
        many = b"".join(b"%d\n" % i for i in range(10))
        done = self.document("send", "box?capacity=3", "--full", "drop_oldest", stdin=many,
                             schema="send")
        self.assertEqual((done["messages"], done["dropped"]), (10, 7))
        self.assertEqual(self.out("receive", "box", "--idle", "0s"), b"7\n8\n9\n")

    def test_drop_newest(self):
        done = self.document("send", "box?capacity=2", "--full", "drop_newest", stdin=b"a\nb\nc\n",
                             schema="send")
        self.assertEqual((done["messages"], done["dropped"]), (2, 1))
        self.assertEqual(self.out("receive", "box", "--idle", "0s"), b"a\nb\n")

    def test_a_slow_receiver_is_waited_for(self):
        sender = self.spawn("send", "box?capacity=1")
        sender.stdin.write(b"1\n2\n3\n")
        sender.stdin.flush()
        self.wait_for_participants("box", "sender", 1, waiting=True)
        self.assertEqual(self.out("receive", "box", "--count", "3"), b"1\n2\n3\n")
        self.finish(sender)

    def test_rendezvous(self):
        shm = self.document("transports", schema="transports")["transports"][0]
        if not shm["can"]["capacity_zero"]:
            said = self.err("send", "box?capacity=0", status=Exit.FAILED)
            self.assertIn("unsupported", said)
            return
        receiver = self.spawn("receive", "box?capacity=0")
        self.wait_for_participants("box", "receiver", 1)
        self.hawser("send", "box", stdin=b"1\n2\n3\n")
        self.assertEqual(self.finish(receiver), b"1\n2\n3\n")


class FormatsTest(CliTest):
    def received(self, messages, *arguments):
        self.hawser("send", "box", "--frames", stdin=join_frames(messages))
        return self.out("receive", "box", "--idle", "0s", *arguments)

    def test_text_is_the_default(self):
        self.assertEqual(self.received([b"a", b"", b"b"]), b"a\n\nb\n")
        self.assertEqual(self.received([b"\x1b[0m\xff"], "--format", "text"), b"\x1b[0m\xff\n")

    def test_raw(self):
        self.assertEqual(self.received([BYTES, b"", BYTES], "--format", "raw"), BYTES * 2)

    def test_null(self):
        self.assertEqual(self.received([b"a\n", b"", b"b"], "--null"), b"a\n\0\0b\0")

    def test_frame(self):
        messages = [b"", BYTES * 1000, b"x"]
        self.assertEqual(self.received(messages, "--format", "frame"), join_frames(messages))

    def test_quoted(self):
        shown = self.received([b'say "\\"\n\x00\xc3\xa4'], "--format", "quoted")
        self.assertEqual(shown, b'"say \\"\\\\\\"\\x0a\\x00\\xc3\\xa4"\n')

    def test_hex(self):
        shown = self.received([BYTES, b""], "--format", "hex")
        self.assertEqual(shown, BYTES.hex().encode() + b"\n\n")

    def test_json_lines(self):
        for flags in (["--jsonl"], ["--format", "json"]):
            lines = self.received(["ä\"\n".encode(), BYTES, b""], *flags).splitlines()
            messages = [json.loads(line) for line in lines]
            for number, message in enumerate(messages):
                self.assertEqual((message["schema"], message["version"]), ("hawser.message", 1))
                self.assertEqual((message["sequence"], message["redelivered"]), (number, False))
            self.assertEqual([m["bytes"] for m in messages], [4, 256, 0])
            self.assertEqual(messages[0]["text"], "ä\"\n")
            self.assertEqual(base64.b64decode(messages[1]["base64"]), BYTES)
            self.assertEqual(messages[2]["text"], "")

    def test_base64_of_each_length(self):
        messages = [b"\xff" * length for length in range(1, 8)]
        lines = self.received(messages, "--jsonl").splitlines()
        self.assertEqual([base64.b64decode(json.loads(l)["base64"]) for l in lines], messages)

    def test_messages_larger_than_the_buffer(self):
        large = [BYTES * 4096, b"small", BYTES * 20000, b"", BYTES * 256]
        for flags in ([], ["--release", "taken"]):
            self.assertEqual(self.received(large, "--format", "frame", *flags), join_frames(large))
        self.assertEqual(self.received(large), b"".join(m + b"\n" for m in large))
        self.assertEqual(self.received(large, "--null"), b"".join(m + b"\0" for m in large))

    def test_more_messages_than_loans(self):
        messages = [b"%d" % i for i in range(1000)]
        for flags in ([], ["--release", "taken"]):
            self.assertEqual(self.received(messages, *flags), b"".join(m + b"\n" for m in messages))

    def test_a_pipeline_keeps_any_bytes_and_all_boundaries(self):
        source = random.Random(20)
        sizes = [0, 1, 7, 65_535, 65_536, 2_000_000, *(source.randrange(3000) for _ in range(3000))]
        messages = [source.randbytes(size) for size in sizes]
        self.carry(["--frames"], ["--format", "frame"], ["--frames"], join_frames(messages))

    def test_a_pipeline_of_raw_bytes(self):
        self.carry(["--size", "1000"], ["--format", "raw"], ["--size", "777"],
                   random.Random(21).randbytes(3_000_000), ending=["--format", "raw"])

    def carry(self, into, out, back, data, ending=("--format", "frame")):
        """send into A; receive A | send B; receive B."""
        first = self.spawn("receive", "a", *out)
        self.wait_for_participants("a", "receiver", 1)
        second = self.spawn("send", "b", *back, stdin=first.stdout)
        first.stdout.close()
        first.stdout = None
        with open(self.place / "out", "wb") as out_file:
            third = self.spawn("receive", "b", *ending, stdout=out_file)
        self.hawser("send", "a", *into, stdin=data)
        for process in (first, second, third):
            self.finish(process)
        self.assertTrue((self.place / "out").read_bytes() == data, "the bytes differ")
        self.assert_nothing_left()


class EndingTest(CliTest):
    def test_ends_when_the_last_sender_has_gone(self):
        receiver = self.spawn("receive", "box")
        self.wait_for_participants("box", "receiver", 1)
        self.hawser("send", "box", stdin=b"a\nb\n")
        self.assertEqual(self.finish(receiver), b"a\nb\n")
        self.assert_nothing_left()

    def test_count(self):
        self.hawser("send", "box", stdin=b"a\nb\nc\n")
        self.assertEqual(self.out("receive", "box", "--count", "2"), b"a\nb\n")
        self.assertEqual(self.out("receive", "box", "-n", "1"), b"c\n")

    def test_count_of_none(self):
        self.hawser("send", "box", stdin=b"a\n")
        self.assertEqual(self.out("receive", "box", "--count", "0"), b"")
        self.assertEqual(self.info("box")["depth"], 1)

    def test_for(self):
        sender = self.spawn("send", "box?capacity=4")
        self.wait_for_participants("box", "sender", 1)
        self.assertEqual(self.out("receive", "box", "--for", "50ms"), b"")
        self.finish(sender, b"")

    def test_for_also_ends_a_stream_that_never_pauses(self):
        yes = subprocess.Popen(["yes"], stdout=subprocess.PIPE)
        self.running.append(yes)
        sender = self.spawn("send", "box", stdin=yes.stdout)
        yes.stdout.close()
        yes.stdout = None
        out = self.out("receive", "box", "--for", "100ms")
        self.assertEqual(out.replace(b"y\n", b""), b"")
        self.assertGreater(len(out), 0)
        sender.kill()

    def test_idle(self):
        self.hawser("send", "box", stdin=b"a\nb\n")
        self.assertEqual(self.out("receive", "box", "--idle", "20ms"), b"a\nb\n")

    def test_idle_on_an_empty_mailbox(self):
        self.assertEqual(self.out("receive", "box", "--idle", "20ms"), b"")
        self.assert_nothing_left()

    def test_timeout(self):
        out = self.out("receive", "box", "--timeout", "20ms", status=Exit.TIMED_OUT)
        self.assertEqual(out, b"")
        self.assert_nothing_left()

    def test_timeout_counts_only_until_the_first_message(self):
        self.hawser("send", "box", stdin=b"a\n")
        out = self.out("receive", "box", "--timeout", "60s", "--idle", "20ms")
        self.assertEqual(out, b"a\n")

    def test_what_is_received_appears_at_once(self):
        receiver = self.spawn("receive", "box")
        sender = self.spawn("send", "box")
        for line in (b"one\n", b"two\n"):
            sender.stdin.write(line)
            sender.stdin.flush()
            self.assertEqual(receiver.stdout.readline(), line)
        self.finish(sender)
        self.finish(receiver)

    def test_verbose(self):
        self.hawser("send", "box", stdin=b"a\nb\n")
        said = self.err("receive", "box", "--idle", "0s", "-v")
        self.assertRegex(said, "^received 2 messages, 2B in ")


def join_frames(messages):
    return b"".join(struct.pack("<Q", len(message)) + message for message in messages)


def split_frames(data):
    messages = []
    while data:
        (length,) = struct.unpack_from("<Q", data)
        messages.append(data[8 : 8 + length])
        data = data[8 + length :]
    return messages
