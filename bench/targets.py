"""The targets of the project, each worked out from one run: a row (case, target, measured, verdict)."""

from results import Figure, nanoseconds, percent, rate

PLACES = ("pinned", "unpinned")
OURS_FAST = ("hawser sharing=pair", "hawser order=sender")


class Targets:
    def __init__(self, results):
        self.results = results
        self.rows = []
        for place in PLACES:
            self.round_trips(place)
        for place in PLACES:
            self.one_way(place)
        self.crowds()
        self.bandwidth()
        self.loaned()
        for place in PLACES:
            self.paced(place)
        self.idle()
        for place in PLACES:
            self.event_loop(place)
        self.life()
        self.command_line()
        self.row("kill-safety's price", "≤ 20 ns a message", None, "", "needs a build without stamps")

    # ---- a row ----------------------------------------------------------------------------------

    def row(self, case, target, met, measured, why=""):
        verdict = "not measured" + (f": {why}" if why else "") if met is None else (
            "met" if met else "MISSED" + (f" by {why}" if why else ""))
        self.rows.append((case, target, measured or "–", verdict))

    def at_most(self, case, value, limit, unit="", show=None):
        text = show or (lambda number: f"{number:.2f}{unit}")
        self._judge(case, f"≤ {text(limit)}", value, limit, text, value is not None and value <= limit)

    def at_least(self, case, value, limit, unit="", show=None):
        text = show or (lambda number: f"{number:.2f}{unit}")
        self._judge(case, f"≥ {text(limit)}", value, limit, text, value is not None and value >= limit)

    def _judge(self, case, target, value, limit, text, met):
        if value is None:
            self.row(case, target, None, "")
        else:
            off = abs(value - limit) / limit * 100
            self.row(case, target, met, text(value), f"{off:.0f} %")
            note = getattr(value, "note", "")
            if note:
                self.rows[-1] = (*self.rows[-1][:3], f"{self.rows[-1][3]}; {note}")

    def best(self, name, group, lanes, smallest=False, **facts):
        found = [self.results.figure(name, group, lane, **facts) for lane in lanes]
        found = [value for value in found if value]
        return (min if smallest else max)(found) if found else None

    # ---- the targets ----------------------------------------------------------------------------

    def round_trips(self, place):
        look = dict(size=64, payload="touched", placement=place)
        of_floor = [self.results.of_floor("round trip", lane, wait="spin", **look) for lane in OURS_FAST]
        quickest = min((value for value in of_floor if value), default=None)
        self.at_most(f"64 B round trip, spin, pair or order=sender, {place}", quickest, 1.15, " × floor")
        total = self.results.of_floor("round trip", "hawser", wait="spin", **look)
        self.at_most(f"64 B round trip, spin, any, order=total, {place}", total, 1.4, " × floor")
        spin = self.results.figure("ns", "round trip", "hawser", wait="spin", **look)
        adaptive = self.results.figure("ns", "round trip", "hawser", wait="adaptive", **look)
        pipe = self.results.figure("ns", "round trip", "pipe", wait="block", **look)
        self.at_most(f"64 B round trip, adaptive, {place}", through(adaptive, spin), 1.3, " × spin")
        self.at_least(f"… a blocking pipe's time through it, {place}", through(pipe, adaptive), 40, " ×")

    def one_way(self, place):
        look = dict(size=64, payload="touched", placement=place)
        ring = self.results.figure("per_s", "one way", "Boost SPSC ring", **look)
        ours = self.best("per_s", "one way", OURS_FAST, wait="spin", **look)
        self.at_least(f"64 B one way, order=sender or pair, {place}", through(ours, ring), 1.0,
                      " × Boost's ring")
        total = self.results.figure("per_s", "one way", "hawser", wait="spin", **look)
        for peer, factor in (("Boost mq", 6), ("iceoryx", 12), ("POSIX mq", 20)):
            theirs = max(filter(None, (self.results.figure("per_s", "one way", peer, wait=wait, **look)
                                       for wait in ("spin", "block"))), default=None)
            self.at_least(f"64 B one way, order=total, {place}", through(total, theirs), factor,
                          f" × {peer}")

    def crowds(self):
        alone = self.results.figure("per_s", "one way", "hawser", wait="adaptive", size=64,
                                    payload="touched", placement="unpinned")
        for shape in ("2->2", "4->4", "8->8"):
            ours = self.results.figure("per_s", "many", "hawser", shape=shape)
            boost = self.results.figure("per_s", "many", "Boost mq", shape=shape)
            self.at_least(f"{shape} on two cores", through(ours, boost), 3, " × Boost mq")
            self.at_least(f"{shape} on two cores", through(ours, alone), 0.5, " × own 1->1")
            if shape == "2->2":
                continue
            for side in ("receiver", "sender"):
                share = self.results.figure(f"slowest_{side}_share", "many", "hawser", shape=shape)
                self.at_least(f"{shape}: slowest {side}, over a second", share, 0.5, " × mean")

    def bandwidth(self):
        everyone = self.results.lanes("one way", payload="filled")
        peers = [lane for lane in everyone if self.results.family(lane) in ("library", "kernel")]
        ours = [lane for lane in everyone if self.results.family(lane) == "hawser"]
        for size, name in ((4096, "4 KiB"), (65536, "64 KiB")):
            look = dict(size=size, payload="filled")
            value = through(self.best("bytes_per_s", "one way", ours, **look),
                            self.best("bytes_per_s", "one way", peers, **look))
            self.at_least(f"{name} filled, one way", value, 1.0, " × best baseline")
        look = dict(size=1 << 20, payload="filled")
        value = through(self.best("bytes_per_s", "one way", ours, **look),
                        self.results.figure("bytes_per_s", "one way", "memcpy in, read out", **look))
        self.at_least("1 MiB filled, one way", value, 0.9, " × memcpy in, read out")

    def loaned(self):
        look = dict(payload="loaned", wait="spin")
        small = self.results.figure("ns", "round trip", "hawser", size=64, **look)
        trips = [self.results.figure("ns", "round trip", "hawser", size=size, **look)
                 for size in (4096, 65536, 1 << 20)]
        slowest = max(filter(None, trips), default=None)
        self.at_most("loaned, any size, round trip", through(slowest, small), 1.1, " × 64 B")
        for size, name in ((64, "64 B"), (65536, "64 KiB"), (1 << 20, "1 MiB")):
            ours = self.results.figure("per_s", "one way", "hawser", size=size, **look)
            theirs = self.results.figure("per_s", "one way", "iceoryx", size=size, **look)
            self.at_least(f"loaned, {name}, one way", through(ours, theirs), 2, " × iceoryx")

    def paced(self, place):
        ours = dict(wait="adaptive", placement=place)
        for name, limit in (("p50_ns", 1.05), ("p99_ns", 1.2)):
            value = through(self.results.figure(name, "paced", "hawser", **ours),
                            self.results.figure(name, "paced", "futex", placement=place))
            self.at_most(f"paced 1,000/s, {name[:3]}, {place}", value, limit, " × raw futex")
        cpu = self.results.figure("receiver_cpu_percent", "paced", "hawser", **ours)
        self.at_most(f"paced 1,000/s, receiver's CPU, {place}", cpu, 2, show=percent)

    def idle(self):
        for variant, limit in (("1 receiver", 0.1), ("1,000 receivers", 3)):
            value = self.results.figure("cpu_percent", "idle", "hawser", variant=variant)
            self.at_most(f"idle, {variant}", value, limit, show=percent)

    def event_loop(self, place):
        look = dict(size=64, payload="touched", placement=place)
        value = through(self.results.figure("ns", "round trip", "hawser fd() in epoll", **look),
                        self.results.figure("ns", "round trip", "eventfd in epoll", **look))
        self.at_most(f"fd() in epoll, round trip, {place}", value, 1.1, " × eventfd")

    def life(self):
        for variant, limit in (("open and close, new", 150e3), ("open and close, existing", 60e3)):
            value = self.results.figure("ns", "life", "hawser", variant=variant)
            self.at_most(variant, value, limit, show=nanoseconds)
        few, most = (self.results.figure("ns", "scale", "hawser", variant=f"{n} mailboxes")
                     for n in (10, 10_000))
        self.at_most("one more of 10,000 mailboxes", through(most, few), 1.25, " × one more of 10")
        memory = self.results.figure("used_bytes", "life", "hawser", variant="memory of 64 x 256B")
        self.at_most("idle mailbox of 64 × 256 B", memory, 65536, show=lambda n: f"{n / 1024:.0f} KiB")

    def command_line(self):
        ours = self.results.figure("bytes_per_s", "command line", "hawser")
        cat = self.results.figure("bytes_per_s", "command line", "cat")
        self.at_least("hawser send | receive of a file", through(ours, cat), 1.0, " × cat f | cat")
        lines = self.results.figure("lines_per_s", "command line", "hawser", variant="lines")
        self.at_least("hawser send | receive, lines", lines, 5e6, show=rate)


def through(one, other):
    """Their ratio, which says so if they were measured on a floor that was not the same."""
    if not one or not other:
        return None
    found = Figure(one / other)
    floors = sorted((one.floor_ns, other.floor_ns))
    if floors[1] > floors[0] * 1.25:
        found.note = f"floors differed: {nanoseconds(floors[0])}, {nanoseconds(floors[1])}"
    return found
