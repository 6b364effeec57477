"""Tests wait for readiness under a watchdog; they never sleep."""

import re

from source_tree import Problem

NAME = "sleeps"
PURPOSE = "no test sleeps"

IN_CPP = re.compile(r"\b(sleep_for|sleep_until|usleep|nanosleep|clock_nanosleep|(?<![\w.])sleep)\s*\(")
IN_PYTHON = re.compile(r"\btime\.sleep\s*\(|^from time import .*\bsleep\b")
IN_SHELL = re.compile(r"(?:^|[;&|({]|\b(?:do|then|else))\s*sleep\s+[\d\"$.]")


def check(tree):
    problems = []
    for path, file in tree.cpp().items():
        if path.startswith("tests/") or path.endswith("_test.cpp"):
            problems += _search(path, file.code_lines, IN_CPP)
    for path, text in tree.files.items():
        if path.startswith("tests/") and not path.startswith("tests/lint/"):
            if path.endswith(".py") or text.startswith("#!/usr/bin/env python3"):
                problems += _search(path, text.splitlines(), IN_PYTHON)
            elif path.endswith(".sh") or text.startswith("#!/usr/bin/env bash"):
                problems += _search(path, text.splitlines(), IN_SHELL)
    return problems


def _search(path, lines, pattern):
    return [
        Problem(path, number, "a test that sleeps; wait for readiness instead")
        for number, line in enumerate(lines, 1)
        if pattern.search(line)
    ]


SAMPLES = [
    ({"tests/a/b.cpp": "std::this_thread::sleep_for(1ms);\n"}, "sleeps"),
    ({"src/os/b_test.cpp": "usleep(3);\n"}, "sleeps"),
    ({"tests/a/run": "#!/usr/bin/env python3\nimport time\ntime.sleep(1)\n"}, "sleeps"),
    ({"tests/a/run": "#!/usr/bin/env bash\nwhile true; do sleep 0.1; done\n"}, "sleeps"),
    (
        {
            "tests/a/b.cpp": "// never sleep_for(1)\nauto s = is_asleep(t);\n",
            "tests/a/run": "#!/usr/bin/env bash\nhawser run -- sleep 10\n# sleep 1\n",
        },
        None,
    ),
]
