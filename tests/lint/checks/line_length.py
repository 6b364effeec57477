"""No line is longer than 100 columns."""

from source_tree import Problem

NAME = "line_length"
PURPOSE = "no line is longer than 100 columns"

LIMIT = 100
FOLDERS = ("include/", "src/", "tools/", "tests/", "examples/", "bench/")


def check(tree):
    problems = []
    for path, file in tree.cpp(*FOLDERS).items():
        for number, line in enumerate(file.lines, 1):
            if len(line) > LIMIT:
                problems.append(Problem(path, number, f"{len(line)} columns, over {LIMIT}"))
    return problems


SAMPLES = [
    ({"src/os/a.cpp": "x" * 101 + "\n"}, "101 columns"),
    ({"src/os/a.cpp": "x" * 100 + "\n// " + "\N{EM DASH}" * 97 + "\n"}, None),
]
