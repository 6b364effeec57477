"""No function is longer than 70 lines, from its first line to its closing brace. A scanner finds the
functions: at namespace or class level, braces after a declaration with parentheses are a body."""

import re

from source_tree import Problem

NAME = "function_length"
PURPOSE = "no function is longer than 70 lines"

LIMIT = 70
FOLDERS = ("include/", "src/", "tools/", "tests/", "examples/", "bench/")
ACCESS = re.compile(r"public|private|protected")
SCOPE = re.compile(r"(?:^|[\s>])(?:namespace|class|struct|union|enum|extern)\b")


def check(tree):
    problems = []
    for path, file in tree.cpp(*FOLDERS).items():
        for name, first, last in functions(file):
            length = last - first + 1
            if length > LIMIT:
                problems.append(Problem(path, first, f"{name} has {length} lines, over {LIMIT}"))
    return problems


def functions(file):
    """(name, first line, last line) of each function in the file."""
    code = _without_preprocessor(file.code)
    begin = index = 0  # `begin`: where the declaration being read starts
    while index < len(code):
        char = code[index]
        if char in ";}" or (char == ":" and ACCESS.fullmatch(code[begin:index].strip())):
            begin = index + 1
        elif char == "{":
            head = code[begin:index]
            if _is_body(head):
                end = _matching_brace(code, index)
                start = begin + len(head) - len(head.lstrip())
                yield _name(head), file.line_of(start), file.line_of(end)
                index = end
                begin = end + 1
            elif _is_scope(head):
                begin = index + 1
            else:  # an initializer, also one in a constructor's list
                index = _matching_brace(code, index)
        index += 1


def _without_preprocessor(code):
    blank = lambda match: re.sub(r"[^\n]", " ", match.group())  # noqa: E731
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", blank, code, flags=re.MULTILINE)


def _plain(head):
    """The declaration without the template parameter lists at its front."""
    head = head.strip()
    while head.startswith("template"):
        depth = 0
        for index, char in enumerate(head):
            depth += {"<": 1, ">": -1}.get(char, 0)
            if char == ">" and depth == 0:
                head = head[index + 1 :].strip()
                break
        else:
            return head
    return head


def _is_scope(head):
    plain = _plain(head)
    return SCOPE.search(plain.split("(")[0]) is not None and not _is_body(head)


def _is_body(head):
    plain = _plain(head)
    if "(" not in plain or re.match(r"(?:namespace|extern\s*\"|(?:inline\s+)?namespace)", plain):
        return False
    if re.match(r"(?:class|struct|union|enum)\b", plain) and not re.search(r"\)\s*(?:const|noexcept|->|$)", plain):
        return False
    before = re.split(r"\boperator\s*(?:\(\)|[^\s(]+)", plain)[-1]
    if re.search(r"(?<![=!<>])=(?!=)", re.sub(r"\([^()]*(?:\([^()]*\)[^()]*)*\)", "()", before)):
        return False  # `x = f() {`: an initializer
    initializers = re.search(r"\)[^:;{}]*(?<!:):(?!:)(.*)$", plain, re.DOTALL)
    return not (initializers and re.search(r"[\w>]\s*$", initializers.group(1)))


def _matching_brace(code, index):
    depth = 0
    for place in range(index, len(code)):
        depth += {"{": 1, "}": -1}.get(code[place], 0)
        if depth == 0:
            return place
    return len(code) - 1


def _name(head):
    names = re.findall(r"([\w:~]+)\s*\(", _plain(head))
    return names[0] if names else "a function"


def _function(lines):
    return "void f(int a) {\n" + "    a++;\n" * (lines - 2) + "}\n"


_CONSTRUCTOR = "struct s {\n  public:\n    s() : a{1}, b(2) {\n" + "        a++;\n" * 69 + "    }\n};\n"
_ARRAY = "constexpr int table[] = {\n" + "    1,\n" * 90 + "};\n"
SAMPLES = [
    ({"src/os/a.cpp": _function(71)}, "f has 71 lines"),
    ({"src/os/a.cpp": "namespace a {\nclass b {\n" + _function(71) + "};\n}\n"}, "f has 71 lines"),
    ({"src/os/a.cpp": "template <class T>\nstruct v {\n" + _function(80) + "};\n"}, "f has 80 lines"),
    ({"src/os/a.cpp": _CONSTRUCTOR}, "s has 71 lines"),
    ({"src/os/a.cpp": _ARRAY + _function(72)}, "f has 72 lines"),
    ({"src/os/a.cpp": _function(70) + _ARRAY + "enum class e { one, two };\n" + _function(70)}, None),
]
