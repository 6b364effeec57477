"""A real network of two computers, as far as the kernel is concerned: two network namespaces with a
cable between them that is cut and mended while messages flow. Needs the right to make them (root
with CAP_SYS_ADMIN and CAP_NET_ADMIN, which a container may lack), and says so without.

The times that src/transport/tcp/README.md gives for a break are not asserted as upper bounds; each
test that has one prints what it was."""

import hashlib
import os
import subprocess
import time
import unittest

import support
from support import Exit

HERE, THERE = "10.231.7.1", "10.231.7.2"
ADDRESSES = {"here": (HERE, "fd00:7::1"), "there": (THERE, "fd00:7::2")}
LINK_ADDRESS = {"here": "02:00:00:00:07:01", "there": "02:00:00:00:07:02"}
PORT = 7000


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=support.WATCHDOG_S)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {done.stderr}")
    return done.stdout


class Network:
    """Two computers, `here` and `there`, each with an interface called `cable`."""

    numbers = iter(range(1000))

    def __init__(self):
        number = next(self.numbers)
        self.spaces = {side: f"hawser-{os.getpid()}-{number}-{side}" for side in ADDRESSES}
        self.made = []

    def set_up(self):
        for space in self.spaces.values():
            run("ip", "netns", "add", space)
            self.made.append(space)
        run("ip", "link", "add", "cable", "netns", self.spaces["here"], "type", "veth",
            "peer", "name", "cable", "netns", self.spaces["there"])
        for side, (four, six) in ADDRESSES.items():
            at = ("ip", "-n", self.spaces[side])
            run(*at, "link", "set", "cable", "address", LINK_ADDRESS[side])
            run(*at, "address", "add", four + "/24", "dev", "cable")
            run(*at, "address", "add", six + "/64", "dev", "cable", "nodad")
            run(*at, "link", "set", "lo", "up")
            run(*at, "link", "set", "cable", "up")
        # Known for good, so that a cut is a loss and not a queue for an address to be found.
        for side, other in (("here", "there"), ("there", "here")):
            run("ip", "-n", self.spaces[side], "neighbour", "replace", ADDRESSES[other][0],
                "lladdr", LINK_ADDRESS[other], "dev", "cable", "nud", "permanent")

    def tear_down(self):
        for space in self.made:  # the cable goes with its ends
            run("ip", "netns", "delete", space)

    def inside(self, side):
        return ("ip", "netns", "exec", self.spaces[side])

    def cut(self):
        run("ip", "-n", self.spaces["there"], "link", "set", "cable", "down")

    def mend(self):
        run("ip", "-n", self.spaces["there"], "link", "set", "cable", "up")
        run("ip", "-n", self.spaces["there"], "neighbour", "replace", HERE,
            "lladdr", LINK_ADDRESS["here"], "dev", "cable", "nud", "permanent")

    def read(self, side, path):
        return run(*self.inside(side), "cat", path)

    def datagrams_sent(self, side):
        """What the UDP of that computer has sent, or thrown away for want of a cable."""
        names, values = (line.split() for line in self.read(side, "/proc/net/snmp").splitlines()
                         if line.startswith("Udp:"))
        counted = ("OutDatagrams", "SndbufErrors")
        return sum(int(values[names.index(name)]) for name in counted)

    def sent_again(self, side):
        """How often the TCP of that computer had to repeat itself."""
        names, values = (line.split() for line in self.read(side, "/proc/net/snmp").splitlines()
                         if line.startswith("Tcp:"))
        return int(values[names.index("RetransSegs")])


def may_make_networks():
    probe = Network()
    try:
        probe.set_up()
    except (AssertionError, FileNotFoundError):
        return False
    finally:
        probe.tear_down()
    return True


@unittest.skipUnless(may_make_networks(), "this user may not make network namespaces")
class NetworkTest(support.ForeignTest):
    def setUp(self):
        super().setUp()
        self.network = Network()
        self.addCleanup(self.network.tear_down)
        # Before the namespaces go, and with them the last word of those who are in them.
        self.addCleanup(self.end_all)
        self.network.set_up()

    def hawser_at(self, side, *arguments, **extra):
        return self.start(*self.network.inside(side), support.HAWSER, *arguments, **extra)

    def receiver(self, scheme, *flags, **extra):
        process = self.hawser_at("there", "receive", f"{scheme}://*:{PORT}", *flags, **extra)
        self.wait_for_port(PORT, scheme, of=process.pid)
        return process

    def feed(self, process, data):
        process.stdin.write(data)
        process.stdin.flush()

    def end_input(self, process):
        process.stdin.close()
        process.stdin = None

    def connect_once(self, address=f"tcp://{THERE}:{PORT}"):
        receiver = self.receiver("tcp")
        self.finish(self.hawser_at("here", "send", address, "-m", "hello"))
        self.assertEqual(self.finish(receiver)[0], b"hello\n")

    # ---- TCP ----------------------------------------------------------------------------------

    def test_tcp_between_two_computers_by_ipv4_and_ipv6(self):
        self.connect_once()
        self.connect_once(f"tcp://[fd00:7::2]:{PORT}")

    def test_tcp_survives_a_short_cut(self):
        taken = self.place / "taken"
        first, during, last = (os.urandom(size << 20) for size in (8, 1, 8))
        with taken.open("wb") as target:
            receiver = self.receiver("tcp", "--format", "raw", stdout=target)
            sender = self.hawser_at("here", "send", f"tcp://{THERE}:{PORT}", "--size", "64KiB")
            self.feed(sender, first)
            self.wait_until(lambda: taken.stat().st_size > 1 << 20, "the first bytes")
            before = self.network.sent_again("here")
            self.network.cut()
            self.feed(sender, during)  # the kernel takes it, and tries in vain
            self.wait_until(
                lambda: self.network.sent_again("here") >= before + 3, "some repetitions"
            )
            self.network.mend()
            self.feed(sender, last)
            self.end_input(sender)
            self.finish(sender)
            self.finish(receiver)
        whole = hashlib.sha256(first + during + last).hexdigest()
        self.assertEqual(hashlib.sha256(taken.read_bytes()).hexdigest(), whole)

    def test_tcp_a_long_cut_is_peer_died_on_both_sides_and_a_new_connection_works(self):
        receiver = self.receiver("tcp", "--format", "raw", stdout=subprocess.DEVNULL)
        sender = self.hawser_at("here", "send", f"tcp://{THERE}:{PORT}", "--size", "1KiB")
        self.feed(sender, os.urandom(1 << 20))
        self.network.cut()
        begin = time.monotonic()
        # More than the buffers between them hold, so that this sender waits.
        with (self.place / "more").open("wb") as more:
            more.write(os.urandom(32 << 20))
        pump = self.start("cat", self.place / "more", stdout=sender.stdin)
        self.end_input(sender)
        took = {}

        def both_ended():
            for name, process in (("sender", sender), ("receiver", receiver)):
                if process.poll() is not None:
                    took.setdefault(name, time.monotonic() - begin)
            return len(took) == 2

        self.wait_until(both_ended, "the end of both")
        print({name: f"{seconds:.1f} s" for name, seconds in took.items()}, end=" ")
        for process in (sender, receiver):
            _, said = self.finish(process, status=Exit.BROKEN)
            self.assertIn("peer_died", said)
        pump.wait(support.WATCHDOG_S)
        self.network.mend()
        self.connect_once()

    def test_tcp_an_idle_connection_notices_the_cut(self):
        receiver = self.receiver("tcp")
        sender = self.hawser_at("here", "send", f"tcp://{THERE}:{PORT}")
        self.feed(sender, b"one\n")
        self.wait_until(lambda: b"one" in os.read(receiver.stdout.fileno(), 100), "a message")
        self.network.cut()
        begin = time.monotonic()
        _, said = self.finish(receiver, status=Exit.BROKEN)
        print(f"receiver: {time.monotonic() - begin:.1f} s", end=" ")
        self.assertIn("peer_died", said)
        # The sender's own questions were not answered either; its next message says so.
        self.network.mend()
        self.wait_until(lambda: self.connections("here") == 0, "the sender's kernel to notice")
        self.feed(sender, b"two\n")
        self.end_input(sender)
        _, said = self.finish(sender, status=Exit.BROKEN)
        self.assertIn("peer_died", said)

    def connections(self, side):
        lines = self.network.read(side, "/proc/net/tcp").splitlines()[1:]
        return sum(line.split()[3] == "01" for line in lines)  # ESTABLISHED

    def test_tcp_a_stopped_receiver_is_waited_for_longer_than_a_cut(self):
        """Stopped is not dead: what ends a broken connection must not end this one."""
        receiver = self.receiver("tcp", "--format", "raw", stdout=subprocess.PIPE)
        # Nobody reads its output, so it does not receive any more, and the sender has to wait.
        given = self.place / "given"
        given.write_bytes(os.urandom(24 << 20))
        with given.open("rb") as source:
            sender = self.hawser_at(
                "here", "send", f"tcp://{THERE}:{PORT}", "--size", "64KiB", stdin=source
            )
        begin = time.monotonic()
        self.wait_until(lambda: time.monotonic() - begin > 25, "longer than 15 to 20 s")
        self.assertIsNone(sender.poll())
        out, _ = self.finish(receiver)
        self.finish(sender)
        self.assertEqual(hashlib.sha256(out).digest(), hashlib.sha256(given.read_bytes()).digest())

    def test_tcp_a_host_that_is_not_there_is_waited_for(self):
        self.network.cut()
        address = f"tcp://{THERE}:{PORT}"
        _, said = self.finish(
            self.hawser_at("here", "send", address, "-m", "x", "--timeout", "200ms"),
            status=Exit.TIMED_OUT,
        )
        self.assertIn("timed_out", said)
        sender = self.hawser_at("here", "send", address, "-m", "late")
        self.network.mend()
        receiver = self.receiver("tcp")
        self.assertEqual(self.finish(receiver)[0], b"late\n")
        self.finish(sender)

    # ---- UDP ----------------------------------------------------------------------------------

    def test_udp_what_is_sent_during_a_cut_is_lost_and_the_rest_arrives(self):
        receiver = self.receiver("udp")
        sender = self.hawser_at("here", "send", f"udp://{THERE}:{PORT}")
        self.feed(sender, b"before\n")
        self.assertEqual(receiver.stdout.readline(), b"before\n")
        self.network.cut()
        self.feed(sender, b"during 1\nduring 2\n")
        self.wait_until(lambda: self.network.datagrams_sent("here") >= 3, "three datagrams")
        self.network.mend()
        self.feed(sender, b"after\n")
        self.assertEqual(receiver.stdout.readline(), b"after\n")
        self.end_input(sender)
        self.finish(sender)

    def test_udp_without_a_way_there_says_so(self):
        run("ip", "-n", self.network.spaces["here"], "link", "set", "cable", "down")
        _, said = self.finish(
            self.hawser_at("here", "send", f"udp://{THERE}:{PORT}", "-m", "x"),
            status=Exit.NOT_FOUND,
        )
        self.assertIn("no way to that host", said)
