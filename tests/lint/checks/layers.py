"""Includes go downwards: os < sync < segment < core < wire < transport and capi, and nothing inside knows
the tools. A transport includes no other one; only transport/table.cpp may see them all. A public
header includes the standard library and other public headers, nothing else. Headers of a Linux
facility are kept to src/os by the check system_calls."""

import re

from source_tree import Problem

NAME = "layers"
PURPOSE = "includes go only downwards, and public headers include only the standard library"

RANK = {"os": 0, "sync": 1, "segment": 2, "core": 3, "wire": 4, "transport": 5, "capi": 5}


def check(tree):
    problems = []
    for path, file in tree.cpp("include/").items():
        for line, name in file.includes():
            if not _is_public_or_standard(name):
                problems.append(Problem(path, line, f"a public header must not include {name}"))
    for path, file in tree.cpp("src/").items():
        if path == "src/transport/table.cpp":
            continue
        for line, name in file.includes():
            wrong = _wrong_way(path.split("/")[1:], name.strip('<>"').split("/"), path)
            if wrong:
                problems.append(Problem(path, line, f"{wrong}: {name}"))
    return problems


def _is_public_or_standard(name):
    return re.fullmatch(r"<hawser/[a-z0-9_/]+\.hpp>|<[a-z0-9_]+>|<std[a-z]+\.h>", name) is not None


def _wrong_way(own, other, path):
    """Why a file at `own` (its path below src/, split) must not include `other`, or None."""
    if other[0] == "..":
        return "name the file from src/, not by .."
    if other[0] == "support":
        return None if path.endswith("_test.cpp") else "only tests include tests/support"
    if other[0] not in RANK or own[0] not in RANK:
        return None
    if RANK[other[0]] > RANK[own[0]]:
        return f"{own[0]} includes {other[0]}, which is above it"
    if RANK[other[0]] == RANK[own[0]] and other[0] != own[0]:
        return f"{own[0]} includes {other[0]}, which is beside it"
    if own[0] == "transport" and other[0] == "transport" and own[1] != other[1]:
        return "a transport includes another one"
    return None


SAMPLES = [
    ({"src/os/a.hpp": '#include "core/b.hpp"\n'}, "os includes core"),
    ({"src/core/a.hpp": '#include "wire/b.hpp"\n'}, "core includes wire"),
    ({"src/transport/shm/a.cpp": '#include "transport/pipe/b.hpp"\n'}, "includes another"),
    ({"src/transport/shm/a.cpp": '#include "../pipe/b.hpp"\n'}, "not by .."),
    ({"src/capi/a.cpp": '#include "transport/shm/b.hpp"\n'}, "beside it"),
    ({"src/os/a.cpp": '#include "support/watchdog.hpp"\n'}, "only tests"),
    ({"include/hawser/a.hpp": "#include <sys/types.h>\n"}, "public header"),
    ({"include/hawser/a.hpp": '#include "os/file.hpp"\n'}, "public header"),
    (
        {
            "src/core/a.cpp": '#include "os/b.hpp"\n// #include "transport/shm/c.hpp"\n',
            "src/transport/table.cpp": '#include "transport/shm/a.hpp"\n',
            "src/transport/shm/a.cpp": '#include "transport/shm/b.hpp"\n',
            "include/hawser/a.hpp": "#include <string>\n#include <hawser/b.hpp>\n",
        },
        None,
    ),
]
