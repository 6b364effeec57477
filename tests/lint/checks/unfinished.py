"""No marks of unfinished work: it is finished, or it is an issue, or it is not there."""

import re

from source_tree import Problem

NAME = "unfinished"
PURPOSE = "no marks of unfinished work"

WORDS = ["TO" "DO", "FIX" "ME", "XX" "X", "HA" "CK"]  # in two parts: this file is checked too
MARK = re.compile(r"(?<![A-Za-z0-9_])(" + "|".join(WORDS) + r")(?![A-Za-z0-9_])")


def check(tree):
    problems = []
    for path, text in tree.files.items():
        for number, line in enumerate(text.splitlines(), 1):
            match = MARK.search(line)
            if match:
                problems.append(Problem(path, number, f"{match[1]}: a mark of unfinished work"))
    return problems


SAMPLES = [
    ({"src/os/a.cpp": f"// {WORDS[0]}: later\n"}, "unfinished"),
    ({"dev": f"# {WORDS[1]}\n"}, "unfinished"),
    ({"src/os/a.cpp": 'mkstemp("/tmp/aXXXXXX"); // to do it once\n'}, None),
]
