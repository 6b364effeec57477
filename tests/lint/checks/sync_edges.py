"""Memory orders weaker than seq_cst say what they are for. The rule:

- A statement in src/ (tests apart) that names memory_order_acquire, _release, _acq_rel or _consume
  carries `SYNC(edge)`: which happens-before edge it is an end of. Two edges: `SYNC(a, b)`.
- A statement that names memory_order_relaxed carries `RELAXED(reason)` or `SYNC(edge)`.
- "Carries" means: in a comment on one of the statement's lines, or in the comment lines directly
  above its first line. An annotation covers that statement only.
- Every edge has both sides. The release side is a statement with release or acq_rel, the acquire
  side one with acquire, consume or acq_rel; a relaxed one is no side (it takes part by a fence or by
  what follows, which carries the edge too). A statement with SYNC but without a named order is
  seq_cst: it counts as release if it stores, as acquire if it loads, as both otherwise.

Edge names are lower-case words joined by '.', '-' or '_', such as `slot.commit`."""

import re

from source_tree import Problem

NAME = "sync_edges"
PURPOSE = "each weak memory order names its edge, and each edge has both sides"

ORDER = re.compile(r"\bmemory_order(?:_|::)(relaxed|acquire|release|acq_rel|consume)\b")
SYNC = re.compile(r"\bSYNC\(([^)]*)\)")
RELAXED = re.compile(r"\bRELAXED\([^)]+\)")
EDGE = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
RELEASES = {"release", "acq_rel"}
ACQUIRES = {"acquire", "consume", "acq_rel"}


def check(tree):
    problems, sides = [], {}
    for path, file in tree.cpp("src/", tests=False).items():
        for first, last in _statements(file):
            problems += _check_statement(path, file, first, last, sides)
    for edge, (uses, releases, acquires) in sorted(sides.items()):
        if not releases and not acquires:
            problems.append(Problem(*uses[0], f"{edge} is always relaxed: say RELAXED(reason)"))
        elif not releases:
            problems.append(Problem(*uses[0], f"edge {edge} has no release side"))
        elif not acquires:
            problems.append(Problem(*uses[0], f"edge {edge} has no acquire side"))
    return problems


def _statements(file):
    """(first, last) line indices of each run of code lines that forms one statement, roughly: it
    ends at a line which ends in ; { } or : outside parentheses, or before a blank or comment line
    that is not inside parentheses."""
    first, depth = None, 0
    for index, line in enumerate(file.code_lines):
        code = line.strip()
        if not code or code.startswith("#"):
            if first is not None and depth <= 0 and not file.comment_lines[index].strip():
                yield first, index - 1
                first, depth = None, 0
            continue
        first = index if first is None else first
        depth += code.count("(") - code.count(")")
        if depth <= 0 and code[-1] in ";{}:":
            yield first, index
            first, depth = None, 0
    if first is not None:
        yield first, len(file.code_lines) - 1


def _annotation(file, first, last):
    above = first
    while above > 0 and _is_comment_only(file, above - 1):
        above -= 1
    return "\n".join(file.comment_lines[above : last + 1])


def _is_comment_only(file, index):
    return not file.code_lines[index].strip() and bool(file.comment_lines[index].strip())


def _check_statement(path, file, first, last, sides):
    code = "\n".join(file.code_lines[first : last + 1])
    orders = set(ORDER.findall(code))
    if not orders and "SYNC(" not in "".join(file.comment_lines[first : last + 1]):
        if not _is_comment_only(file, first - 1) or not _touches_memory(code):
            return []
    comment = _annotation(file, first, last)
    edges = [edge.strip() for found in SYNC.findall(comment) for edge in found.split(",")]
    problems = []
    if orders - {"relaxed"} and not edges:
        names = ", ".join(sorted(orders - {"relaxed"}))
        problems.append(Problem(path, first + 1, f"{names} without SYNC(edge)"))
    elif "relaxed" in orders and not edges and not RELAXED.search(comment):
        problems.append(Problem(path, first + 1, "relaxed without RELAXED(reason) or SYNC(edge)"))
    for edge in edges:
        if not EDGE.fullmatch(edge):
            problems.append(Problem(path, first + 1, f"SYNC({edge}): not an edge name"))
            continue
        place = (path, first + 1)
        is_release, is_acquire = _roles(orders, code)
        uses, releases, acquires = sides.setdefault(edge, ([], [], []))
        uses.append(place)
        releases += [place] * is_release
        acquires += [place] * is_acquire
    return problems


def _touches_memory(code):
    return re.search(r"\b(load|store|exchange|compare_exchange\w*|fetch_\w+|fence|wait)\w*\s*\(", code)


def _roles(orders, code):
    if orders - {"relaxed"}:
        return bool(orders & RELEASES), bool(orders & ACQUIRES)
    if orders:
        return False, False  # relaxed: an end only together with a fence, which has its own SYNC
    stores = re.search(r"\bstore\w*\s*\(", code) is not None
    loads = re.search(r"\b(load|wait)\w*\s*\(", code) is not None
    return (stores, loads) if stores != loads else (True, True)


_BOTH = """
// SYNC(slot.commit): the payload before it
word.store(1, std::memory_order_release);
if (ready && word.load(std::memory_order_acquire) == 1) { // SYNC(slot.commit)
    count.fetch_add(1, std::memory_order_relaxed); // RELAXED(a counter)
}
// SYNC(lane): taken
// by a CAS
if (!word.compare_exchange_strong(old, next,
                                  std::memory_order_acq_rel,
                                  std::memory_order_acquire)) return;
"""
SAMPLES = [
    ({"src/sync/a.hpp": "x.store(1, std::memory_order_release);\n"}, "release without SYNC"),
    ({"src/sync/a.hpp": "x.load(std::memory_order::relaxed);\n"}, "relaxed without RELAXED"),
    ({"src/sync/a.hpp": "x.load(std::memory_order_acquire); // SYNC(a)\n"}, "no release side"),
    ({"src/sync/a.hpp": "x.store(1, std::memory_order_release); // SYNC(a)\n"}, "no acquire side"),
    ({"src/sync/a.hpp": "x.load(std::memory_order_relaxed); // SYNC(a)\n"}, "always relaxed"),
    ({"src/sync/a.hpp": "x.store(1, std::memory_order_release); // SYNC(A b)\n"}, "not an edge"),
    # The annotation of one statement does not cover the next, nor does one above a blank line.
    ({"src/sync/a.hpp": _BOTH + "x.load(std::memory_order_acquire);\n"}, "acquire without SYNC"),
    (
        {"src/sync/a.hpp": _BOTH + "// SYNC(lane)\n\nx.load(std::memory_order_acquire);\n"},
        "acquire without SYNC",
    ),
    # A seq_cst side: no named order, but the edge's name.
    (
        {
            "src/sync/a.hpp": "x.store(1); // SYNC(a)\n// SYNC(a)\nx.load(memory_order_acquire);\n",
            "src/segment/a.hpp": _BOTH,
            "src/sync/a_test.cpp": "x.load(std::memory_order_acquire);\n",
        },
        None,
    ),
]
