"""clang-tidy, with the checks of .clang-tidy, on every .cpp file that the release build compiles. It
needs build/release/compile_commands.json, which `./dev lint` makes. Headers are seen through the
files that include them.

It takes minutes, so a file found clean is noted in build/lint, under a hash of all that its result
depends on within this tree, and not looked at again until that changes."""

import concurrent.futures
import hashlib
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
    compiled = {entry["file"]: entry["command"] for entry in json.loads(database.read_text())}
    todo = []
    for path in tree.cpp(*FOLDERS, tests=False):
        command = compiled.get(str(tree.root / path))
        if command:
            todo.append((path, tree.root / "build/lint" / _digest(tree, path, command)))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda item: _check_file(tree.root, *item), todo)
        return [Problem(*problem) for problem in sorted(set().union(*found))]


def _check_file(root, path, note_of_clean):
    if note_of_clean.exists():
        return set()
    found = set(_problems(_tidy(root, root / path), root))
    if not found:
        note_of_clean.parent.mkdir(parents=True, exist_ok=True)
        note_of_clean.touch()
    return found


def _digest(tree, path, command):
    """A hash of the file, of the files of this tree that it includes, and of how it is compiled."""
    texts, waiting = {}, [path]
    while waiting:
        name = waiting.pop()
        if name not in texts and name in tree.files:
            texts[name] = tree.files[name]
            for _, include in tree.cpp()[name].includes():
                inside = include.strip('<>"')
                folders = ("include", "src", "tools/hawser", "tests", os.path.dirname(name))
                waiting += [f"{folder}/{inside}" for folder in folders]
    settings = (tree.root / ".clang-tidy").read_text()
    return hashlib.sha256(repr((command, settings, sorted(texts.items()))).encode()).hexdigest()


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
