"""The document of `hawser_bench bench --all --json`, and how its figures are found and written."""

import json
import statistics


class Figure(float):
    """A number that knows the floor it was measured beside."""

    floor_ns = 0.0
    note = ""


class Results:
    def __init__(self, path):
        self.document = json.loads(path.read_text())
        if (self.document["schema"], self.document["version"]) != ("hawser.bench", 2):
            raise SystemExit(f"{path} is not a hawser.bench document of version 2")
        self.cases = self.document["cases"]

    def find(self, group, lane, **facts):
        """The first case of that group and lane with these facts (or variant), measured or None."""
        for case in self.cases:
            if (case["group"], case["lane"]) != (group, lane) or "medians" not in case:
                continue
            known = dict(case["facts"], variant=case["variant"])
            if all(known.get(name) == str(value) for name, value in facts.items()):
                return case
        return None

    def figure(self, name, group, lane, **facts):
        case = self.find(group, lane, **facts)
        if case is None or case["medians"].get(name) is None:
            return None
        found = Figure(case["medians"][name])
        found.floor_ns = statistics.median(case["floors_ns"])
        return found

    def of_floor(self, group, lane, **facts):
        case = self.find(group, lane, **facts)
        return case.get("of_floor") if case else None

    def lanes(self, group, **facts):
        """Names of the lanes with a case like that, in the order of the run."""
        names = []
        for case in self.cases:
            if case["group"] == group and case["lane"] not in names:
                if all(case["facts"].get(k) == str(v) for k, v in facts.items()):
                    names.append(case["lane"])
        return names

    def family(self, lane):
        return next((c["facts"]["family"] for c in self.cases if c["lane"] == lane), "")


def nanoseconds(value):
    if value is None:
        return "–"
    if value < 1000:
        return f"{value:.0f} ns"
    if value < 100_000:
        return f"{value / 1000:.2f} µs" if value < 10_000 else f"{value / 1000:.1f} µs"
    if value >= 1e9:
        return f"{value / 1e9:.2f} s"
    return f"{value / 1e6:.2f} ms" if value >= 1e6 else f"{value / 1000:.0f} µs"


def rate(value):
    if value is None:
        return "–"
    for unit, size in (("M/s", 1e6), ("k/s", 1e3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g} /s"


def bandwidth(value):
    if value is None:
        return "–"
    for unit, size in (("GB/s", 1e9), ("MB/s", 1e6), ("kB/s", 1e3)):
        if value >= size * 0.999:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g} B/s"


def ratio(value):
    return "–" if value is None else f"{value:.2f}"


def percent(value):
    return "–" if value is None else f"{value:.2f} %"


def size_text(size):
    size = int(size)
    for unit, factor in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= factor:
            return f"{size // factor} {unit}"
    return f"{size} B"


def table(titles, rows):
    """Markdown whose columns line up as text, too; all but the first to the right."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (titles, *rows)]
    widths = [max(3, *(len(row[i]) for row in cells)) for i in range(len(titles))]

    def line(row):
        first = row[0].ljust(widths[0])
        return "| " + " | ".join([first, *(c.rjust(w) for c, w in zip(row[1:], widths[1:]))]) + " |"

    rule = "|" + "|".join(["-" * (widths[0] + 2), *("-" * (w + 1) + ":" for w in widths[1:])]) + "|"
    return "\n".join([line(cells[0]), rule, *map(line, cells[1:])]) + "\n"
