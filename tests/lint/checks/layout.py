"""C++ files are laid out as .clang-format says; `./dev format` does it."""

import re
import subprocess

from source_tree import Problem

NAME = "layout"
PURPOSE = "C++ files are laid out by clang-format"


def check(tree):
    problems = []
    for path, file in tree.cpp().items():
        command = ["clang-format", "--dry-run", f"--assume-filename={tree.root / path}"]
        said = subprocess.run(command, input=file.text, capture_output=True, text=True).stderr
        lines = re.findall(r":(\d+):\d+: warning", said)
        if lines:
            problems.append(Problem(path, int(lines[0]), "not laid out; run ./dev format"))
    return problems


SAMPLES = [
    ({"src/os/a.cpp": "int  f( ){return 1 ;}\n"}, "not laid out"),
    ({"src/os/a.cpp": "int f() {\n    return 1;\n}\n"}, None),
]
