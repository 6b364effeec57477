"""Atomics live in src/sync and src/segment, where they are argued about, and nowhere else in the
library. Higher layers may pass on a reference to a word of a segment (`segment::atomic<T>&`), which
only lower layers touch. Tests are free. An exemption (a reference count, say) goes to allow.txt."""

import re

from source_tree import Problem

NAME = "atomics_place"
PURPOSE = "atomics and memory orders are only in src/sync and src/segment"

PASSED_ON = re.compile(r"\bsegment::atomic<[\w:]+>\s*[&*]")
ATOMIC = re.compile(r"\b(?:atomic\s*<|atomic_\w+|memory_order|__atomic_\w+|__sync_\w+)")


def check(tree):
    problems = []
    for path, file in tree.cpp("src/", "include/", tests=False).items():
        if path.startswith(("src/sync/", "src/segment/")):
            continue
        for number, code in enumerate(file.code_lines, 1):
            if not code.lstrip().startswith("#") and ATOMIC.search(PASSED_ON.sub("", code)):
                problems.append(Problem(path, number, "an atomic outside src/sync and src/segment"))
    return problems


SAMPLES = [
    ({"src/core/a.hpp": "std::atomic<int> x;\n"}, "an atomic outside"),
    ({"src/core/a.hpp": "segment::atomic<int> x;\n"}, "an atomic outside"),
    ({"include/hawser/a.hpp": "std::atomic_ref x(y);\n"}, "an atomic outside"),
    ({"src/os/a.cpp": "__atomic_load_n(p, 5);\n"}, "an atomic outside"),
    (
        {
            "src/sync/a.hpp": "std::atomic<int> x;\n",
            "src/core/a.hpp": "// std::atomic<int>\nvoid f(segment::atomic<std::uint32_t>& word);\n",
            "src/core/a_test.cpp": "std::atomic<int> x;\n",
        },
        None,
    ),
]
