"""clang-tidy, with the checks of .clang-tidy, on every .cpp file that the release build compiles. It
needs build/release/compile_commands.json, which `./dev lint` makes. Headers are seen through the
files that include them."""

import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import tempfile

from source_tree import Problem

NAME = "tidy"
PURPOSE = "clang-tidy has nothing to say"

FOLDERS = ("src/", "tools/", "examples/", "tests/support/")
WARNING = re.compile(r"^(/[^:\n]+):(\d+):\d+: (?:warning|error): (.*)$", re.MULTILINE)


def check(tree):
    if "src/sample.cpp" in tree.files:
        return _check_sample(tree)
    database = tree.root / "build/release/compile_commands.json"
    if not database.exists():
        return [Problem("build/release", 0, "not configured; run ./dev lint or ./dev build")]
    compiled = {entry["file"] for entry in json.loads(database.read_text())}
    paths = [
        tree.root / path
        for path in tree.cpp(*FOLDERS, tests=False)
        if str(tree.root / path) in compiled
    ]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        said = pool.map(lambda path: _tidy(tree.root, path), paths)
        found = {problem for text in said for problem in _problems(text, tree.root)}
    return [Problem(*problem) for problem in sorted(found)]


def _tidy(root, path, *after):
    command = ["clang-tidy", "--quiet", f"--config-file={root / '.clang-tidy'}"]
    command += ["-p", str(root / "build/release"), "--extra-arg=-Wno-unknown-warning-option"]
    return subprocess.run([*command, str(path), *after], capture_output=True, text=True).stdout


def _problems(text, root):
    for path, line, message in WARNING.findall(text):
        path = os.path.normpath(path)
        yield str(pathlib.PurePath(os.path.relpath(path, root))), int(line), message


def _check_sample(tree):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "sample.cpp"
        path.write_text(tree.files["src/sample.cpp"])
        text = _tidy(tree.root, path, "--", "-std=c++20")
    return [Problem("src/sample.cpp", line, message) for _, line, message in _problems(text, folder)]


SAMPLES = [
    ({"src/sample.cpp": "int* f(int* p) { return p == nullptr ? 0 : p; }\n"}, "modernize-use-nullptr"),
    ({"src/sample.cpp": "int f(int a) { return a + 1; }\n"}, None),
]
