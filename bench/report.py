"""Writes the report: README.md with its tables, and the charts beside it."""

import statistics

from plot import Chart
from results import bandwidth, nanoseconds, percent, rate, ratio, size_text, table
from targets import Targets

SIZES = ("8", "64", "1024", "4096", "65536", "1048576")
# As many lines as a chart can carry; the tables have all.
SHOWN = ("hawser", "hawser order=sender", "hawser sharing=pair", "memcpy in, read out",
         "Boost SPSC ring", "Boost mq", "iceoryx", "pipe", "Unix dgram", "POSIX mq", "ZeroMQ", "nng")


class Report:
    def __init__(self, results, command):
        self.results, self.command = results, command
        self.parts, self.charts = [], {}

    def write(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        self.head()
        self.targets()
        for place in ("pinned", "unpinned"):
            self.round_trips(place)
        for place in ("pinned", "unpinned"):
            self.one_way(place)
        self.by_size()
        self.loaned()
        self.crowds()
        self.paced()
        self.others()
        self.not_measured()
        for old in folder.glob("*.svg"):
            old.unlink()
        for name, chart in self.charts.items():
            if chart.series:
                (folder / f"{name}.svg").write_text(chart.svg())
        (folder / "README.md").write_text("\n".join(self.parts))

    def say(self, text):
        self.parts.append(text + "\n")

    def add_table(self, titles, rows):
        if rows:
            self.say(table(titles, rows))

    def add_chart(self, name, chart):
        self.charts[name] = chart
        if chart.series:
            self.say(f"![{chart.title}]({name}.svg)")

    def head(self):
        found = self.results.document
        self.say("# What a message costs, beside the floor of the machine and beside others")
        self.say(f"Made by `{self.command}`; do not edit. Medians of {found['runs']} runs, in each of "
                 f"which all cases took turns ({found['seconds']:.0f} s).")
        floors = found["floors_ns"]
        self.say(
            f"**Floor**: two-line cache ping-pong between the two CPUs, round trip "
            f"{nanoseconds(found['floor_ns'])} (from {nanoseconds(min(floors))} to "
            f"{nanoseconds(max(floors))}). It is measured before and after each case; a case whose "
            f"floor moved by more than a quarter is measured again, and marked with * where it never "
            f"held still. Where processes are not pinned it is the same pinned floor. Read the ratios: absolute times drift on a virtual machine.")
        self.say(table(["where", ""], [[k, v] for k, v in found["environment"].items()]))

    def targets(self):
        rows = [list(row) for row in Targets(self.results).rows]
        met = sum(row[3].startswith("met") for row in rows)
        self.say("## Targets")
        self.say(f"{met} of {len(rows)} met.")
        self.add_table(["case", "target", "measured", ""], rows)

    def _star(self, case):
        return "*" if case.get("unsteady", 0) else ""

    def _cases(self, group, **facts):
        for case in self.results.cases:
            if case["group"] == group and "medians" in case:
                if all(case["facts"].get(k) == v for k, v in facts.items()):
                    yield case, case["medians"]

    def round_trips(self, place):
        self.say(f"## Round trip, 64 B, {place}")
        self.say("Each: the median of batches without a clock inside. p50 and the rest: each trip by "
                 "itself, with one look at the clock in it.")
        rows, series = [], {}
        found = list(self._cases("round trip", size="64", payload="touched", placement=place))
        for case, at in sorted(found, key=lambda pair: pair[1]["ns"]):
            tail = [at["p50_ns"], at["p99_ns"], at["p999_ns"], at["max_ns"]]
            name, wait = case["lane"], case["facts"]["wait"]
            rows.append([name, wait, nanoseconds(at["ns"]), ratio(case["of_floor"]) + self._star(case),
                         *map(nanoseconds, tail)])
            # Of each the way that is its best: spinning, where it has no threads of its own.
            usual = "block" if name in ("ZeroMQ", "nng", "Cyclone DDS") else "spin"
            if name in SHOWN and wait == usual or (name, wait) == ("pipe", "block"):
                series[f"{name}, {wait}"] = tail
        self.add_table(["lane", "wait", "each", "× floor", "p50", "p99", "p99.9", "max"], rows)
        series = {name: series[name] for name in sorted(series, key=lambda n: not n.startswith("haw"))}
        self.add_chart(f"tail-{place}", Chart(
            f"Tail of the 64 B round trip, {place}", "percentile", "round trip",
            ["p50", "p99", "p99.9", "max"], series, nanoseconds))

    def one_way(self, place):
        self.say(f"## One way, 64 B, 1→1, {place}")
        found = list(self._cases("one way", size="64", payload="touched", placement=place))
        rows = [[case["lane"], case["facts"]["wait"], rate(at["per_s"]), nanoseconds(at["ns"]),
                 ratio(case["of_floor"]) + self._star(case)]
                for case, at in sorted(found, key=lambda pair: pair[1]["ns"])]
        self.add_table(["lane", "wait", "rate", "each", "× floor"], rows)

    def _by_size(self, figure, group, payload):
        lanes = self.results.lanes(group, payload=payload)
        sizes = [s for s in SIZES if any(True for _ in self._cases(group, size=s, payload=payload))]
        return sizes, {lane: [self.results.figure(figure, group, lane, size=s, payload=payload)
                              for s in sizes] for lane in lanes}

    def by_size(self):
        self.say("## By size: filled by the sender, read to the last byte by the receiver (pinned)")
        for name, figure, group, text, title in (
            ("latency-by-size", "ns", "round trip", nanoseconds, "Round trip by size"),
            ("rate-by-size", "bytes_per_s", "one way", bandwidth, "Bandwidth by size, one way"),
        ):
            sizes, rows = self._by_size(figure, group, "filled")
            self.say(f"### {title}")
            self.add_table(["lane", *map(size_text, sizes)],
                           [[lane, *map(text, row)] for lane, row in rows.items() if any(row)])
            shown = {lane: row for lane, row in rows.items() if lane in SHOWN}
            self.add_chart(name, Chart(title, "bytes of a message",
                                       "round trip" if figure == "ns" else "bandwidth",
                                       list(map(size_text, sizes)), shown, text))

    def loaned(self):
        self.say("## Loaned: made in place, only the first word written and read (pinned, spinning)")
        for title, figure, group, text in (("Round trip", "ns", "round trip", nanoseconds),
                                           ("One way", "per_s", "one way", rate)):
            sizes, rows = self._by_size(figure, group, "loaned")
            self.add_table([title, *map(size_text, sizes)],
                           [[lane, *map(text, row)] for lane, row in rows.items() if any(row)])

    def crowds(self):
        self.say("## Many to many, 64 B, unpinned, each as it waits by default")
        shapes = ["1->1", "2->2", "4->4", "8->8", "4->1", "1->4"]
        rows, series = [], {}
        for lane in self.results.lanes("many"):
            wait = "adaptive" if lane.startswith("hawser") else "block"
            alone = self.results.figure("per_s", "one way", lane, wait=wait, size=64,
                                        payload="touched", placement="unpinned")
            rates = [alone] + [self.results.figure("per_s", "many", lane, shape=s) for s in shapes[1:]]
            shares = [self.results.figure(f"slowest_{side}_share", "many", lane, shape=s)
                      for s in ("4->4", "8->8") for side in ("receiver", "sender")]
            rows.append([lane, *map(rate, rates), *map(ratio, shares)])
            series[lane] = rates[:4]
        self.say("The last columns: the slowest receiver or sender through the mean of all; over a "
                 "second for hawser and Boost, a shorter time for the others.")
        self.add_table(["lane", *shapes, "4->4 recv", "4->4 send", "8->8 recv", "8->8 send"], rows)
        self.add_chart("scaling-processes", Chart(
            "Senders and receivers on two cores", "senders -> receivers", "messages", shapes[:4],
            series, rate))

    def paced(self):
        self.say("## Paced: 1,000 messages a second, from the moment each was meant to leave")
        rows = [[case["lane"], case["facts"]["wait"], case["facts"]["placement"],
                 nanoseconds(at["p50_ns"]), nanoseconds(at["p99_ns"]), nanoseconds(at["max_ns"]),
                 percent(at["receiver_cpu_percent"])] for case, at in self._cases("paced")]
        self.add_table(["lane", "wait", "CPUs", "p50", "p99", "max", "receiver's CPU"], rows)

    def others(self):
        self.say("## Idle, life, scale, command line")
        show = {"cpu_percent": percent, "ns": nanoseconds, "per_s": rate, "bytes_per_s": bandwidth,
                "lines_per_s": rate, "used_bytes": lambda n: f"{n / 1024:.0f} KiB"}
        rows = [[f"{case['group']}: {case['variant']}", case["lane"],
                 show[case["primary"]](at[case["primary"]])]
                for group in ("idle", "life", "scale", "command line")
                for case, at in self._cases(group)]
        self.add_table(["case", "lane", "figure"], rows)
        for word, title, counts in (
            ("participants", "Round trip with idle participants beside the two", (2, 10, 100, 1000)),
            ("mailboxes", "Open and close one more mailbox", (10, 1000, 10_000)),
        ):
            values = [self.results.figure("ns", "scale", "hawser", variant=f"{n} {word}") for n in counts]
            self.add_chart(f"scaling-{word}", Chart(title, word, "time", [f"{n:,}" for n in counts],
                                                    {"hawser": values}, nanoseconds))

    def not_measured(self):
        lines = [f"- {one['name']}: {one['why']}" for one in self.results.document["missing"]]
        reasons = {}
        for case in self.results.cases:
            if "why" in case:
                word = "not supported" if case["unsupported"] else f"failed {case['failed']} times"
                where = f"{case['group']}, {case['variant']}"
                reasons.setdefault((case["lane"], word, case["why"][:160]), []).append(where)
        for (lane, word, why), cases in reasons.items():
            more = f" and {len(cases) - 1} more" if len(cases) > 1 else ""
            lines.append(f"- {lane}, {cases[0]}{more}: {word}: {why}")
        shaky = [case for case in self.results.cases if case.get("unsteady", 0)]
        self.say("## What is not here")
        self.say("\n".join(lines) if lines else "Every case of every peer was measured.")
        repeats = sum(case.get("repeated", 0) for case in self.results.cases)
        self.say(f"{repeats} measurements were made again because the floor had moved; in {len(shaky)} "
                 f"of {len(self.results.cases)} cases (*) it never held still in at least one run.")
        floors = self.results.document["floors_ns"]
        if len(floors) > 3:
            low, _, high = statistics.quantiles(floors, n=4)
            self.say(f"Half of all floors lay between {nanoseconds(low)} and {nanoseconds(high)}.")
