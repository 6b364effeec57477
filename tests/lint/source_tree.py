"""What the checks read: the files of the tree, and C++ text with its comments told apart."""

import dataclasses
import os
import pathlib
import re

FOLDERS = ["include", "src", "tools", "tests", "examples", "bench", "bindings", "cmake", "docs", ".ci"]
SKIPPED_FOLDERS = {"build", "__pycache__", "corpus"}
TEXT_SUFFIXES = {".cpp", ".hpp", ".h", ".py", ".sh", ".cmake", ".txt", ".md", ".pml", ".in", ""}
CPP_SUFFIXES = {".cpp", ".hpp", ".h"}


@dataclasses.dataclass
class Problem:
    path: str
    line: int
    text: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.text}"


class Tree:
    """Files by their path from the root; `root` is where tools such as clang-format find theirs."""

    def __init__(self, files, root):
        self.files = files
        self.root = pathlib.Path(root)
        self._cpp = {}

    @staticmethod
    def of_disk(root):
        files = {}
        for folder in FOLDERS:
            for place, inner, names in os.walk(root / folder):
                inner[:] = sorted(d for d in inner if d not in SKIPPED_FOLDERS)
                for name in sorted(names):
                    _read(files, root, pathlib.Path(place) / name)
        for path in sorted(root.iterdir()):
            if path.is_file():
                _read(files, root, path)
        return Tree(files, root)

    def cpp(self, *prefixes, tests=True):
        """{path: Cpp} of the C++ files below the prefixes (all without one)."""
        found = {}
        for path, text in self.files.items():
            if pathlib.PurePath(path).suffix not in CPP_SUFFIXES:
                continue
            if prefixes and not path.startswith(prefixes):
                continue
            if not tests and (path.endswith("_test.cpp") or path.startswith("tests/")):
                continue
            if path not in self._cpp:
                self._cpp[path] = Cpp(text)
            found[path] = self._cpp[path]
        return found


def _read(files, root, path):
    if path.suffix not in TEXT_SUFFIXES or path.is_symlink():
        return
    try:
        files[str(path.relative_to(root))] = path.read_text()
    except UnicodeDecodeError:
        pass  # a binary: nothing to check


# Comments, strings and characters, in the order in which a scanner must try them.
_TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<mark>[^()\\ ]{0,16})\(.*?\)(?P=mark)"'
    r'|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'',
    re.DOTALL,
)


class Cpp:
    """One C++ file. `code` is its text with comments and the inside of literals blanked out, and
    `comments` the reverse; both keep every line and column. `code_lines[i]` is line i + 1."""

    def __init__(self, text):
        self.text = text
        code, comments, end = [], [], 0
        for token in _TOKEN.finditer(text):
            between, found = text[end : token.start()], token.group()
            is_comment = found.startswith(("//", "/*"))
            code += [between, _blank(found) if is_comment else _blank_inside(found)]
            comments += [_blank(between), found if is_comment else _blank(found)]
            end = token.end()
        self.code = "".join(code) + text[end:]
        self.comments = "".join(comments) + _blank(text[end:])
        self.lines = text.splitlines()
        self.code_lines = self.code.splitlines()
        self.comment_lines = self.comments.splitlines()

    def line_of(self, offset):
        return self.code.count("\n", 0, offset) + 1

    def includes(self):
        """(line, name with its < > or quotes) of each #include."""
        for number, line in enumerate(self.lines, 1):
            match = re.match(r'\s*#\s*include\s*([<"][^>"]+[>"])', line)
            if match and self.code_lines[number - 1].strip():
                yield number, match.group(1)


def _blank(text):
    return re.sub(r"[^\n]", " ", text)


def _blank_inside(literal):
    return literal[0] + _blank(literal[1:-1]) + literal[-1]


class Allowances:
    """The lines of allow.txt."""

    def __init__(self, text):
        self._lines = {}
        for number, line in enumerate(text.splitlines(), 1):
            entry, _, reason = line.partition("#")
            if not entry.strip():
                continue
            check, path = entry.split()
            if not reason.strip():
                raise SystemExit(f"allow.txt:{number}: an exemption needs a reason")
            self._lines[(check, path)] = False

    def permit(self, check, path):
        if (check, path) not in self._lines:
            return False
        self._lines[(check, path)] = True
        return True

    def unused(self, check):
        return [
            f"tests/lint/allow.txt: {path} needs no exemption from {name}"
            for (name, path), used in self._lines.items()
            if name == check and not used
        ]
