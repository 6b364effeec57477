"""The models check the protocols that the code has. The rule:

- A step of a protocol has a label, in a comment beside the statement that makes it: `STEP(ring.commit)`.
  The word before the dot is the operation. In src/ each label stands at one place, and the labels of
  one operation in one file.
- A model (tests/model/*.pml) has the same labels, as often as it models the step. What only one side
  has is a line of tests/model/step_exceptions.txt: `code-only ring.commit  # reason`, or `model-only`.
- The order of an operation's steps in the code is their order in each pass of a model. A pass is the
  labels of one operation in one file up to a label that it has already; it may leave steps out.

So a step that is added, dropped or moved on one side only is found, wherever it is labelled."""

import re

from source_tree import Problem

NAME = "steps"
PURPOSE = "the models and the code have the same labelled steps, in the same order"

LABEL = re.compile(r"\bSTEP\(([^)]*)\)")
GOOD = re.compile(r"[a-z]+\.[a-z_]+")
EXCEPTIONS = "tests/model/step_exceptions.txt"


def check(tree):
    problems = []
    code = _labels_of_code(tree, problems)
    models = _labels_of_models(tree, problems)
    exceptions = _exceptions(tree, problems)
    problems += _uneven(code, models, exceptions)
    problems += _scattered(code)
    order = {label: place for label, (place, *_) in code.items()}
    for path, labels in models.items():
        problems += _out_of_order(path, labels, order)
    return problems


def _operation(label):
    return label.split(".")[0]


def _found(path, text, problems):
    """(label, line) of each label in a text; what is no label is a problem."""
    for match in LABEL.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        if GOOD.fullmatch(match.group(1)):
            yield match.group(1), line
        else:
            problems.append(Problem(path, line, f"{match.group()}: not a label of a step"))


def _labels_of_code(tree, problems):
    """{label: [(path, line), …]}"""
    labels = {}
    for path, file in tree.cpp("src/", tests=False).items():
        for label, line in _found(path, file.comments, problems):
            labels.setdefault(label, []).append((path, line))
    return labels


def _labels_of_models(tree, problems):
    """{path: [(label, line), …] in the order of the file}"""
    return {
        path: list(_found(path, text, problems))
        for path, text in tree.files.items()
        if path.startswith("tests/model/") and path.endswith(".pml")
    }


def _exceptions(tree, problems):
    """{label: (side, line)}"""
    found = {}
    for number, text in enumerate(tree.files.get(EXCEPTIONS, "").splitlines(), 1):
        entry, _, reason = text.partition("#")
        if not entry.strip():
            continue
        words = entry.split()
        if len(words) != 2 or words[0] not in ("code-only", "model-only") or not reason.strip():
            problems.append(Problem(EXCEPTIONS, number, "write: code-only|model-only LABEL  # reason"))
            continue
        found[words[1]] = (words[0], number)
    return found


def _uneven(code, models, exceptions):
    modelled = {label: (path, line) for path, labels in models.items() for label, line in labels}
    for label in sorted(code.keys() | modelled.keys()):
        side = exceptions.get(label, ("", 0))[0]
        if label not in modelled and side != "code-only":
            yield Problem(*code[label][0], f"{label}: no model has this step")
        elif label not in code and side != "model-only":
            yield Problem(*modelled[label], f"{label}: the code has no such step")
    for label, (side, number) in exceptions.items():
        here, there = (code, modelled) if side == "code-only" else (modelled, code)
        if label not in here or label in there:
            yield Problem(EXCEPTIONS, number, f"{label} is not {side}: take the line out")


def _scattered(code):
    files = {}
    for label, places in code.items():
        for path, line in places[1:]:
            yield Problem(path, line, f"{label} stands at {places[0][0]}:{places[0][1]} already")
        files.setdefault(_operation(label), []).append(places[0])
    for operation, places in files.items():
        for path, line in places:
            if path != places[0][0]:
                yield Problem(path, line, f"{operation}. has steps in {places[0][0]}, too")


def _out_of_order(path, labels, order):
    passes = {}
    for label, line in labels:
        seen = passes.setdefault(_operation(label), [])
        if label in seen:
            seen.clear()
        for before in seen:
            if label in order and before in order and order[before] > order[label]:
                yield Problem(path, line, f"{label} comes before {before} in the code")
                break
        seen.append(label)


_CODE = "a(); // STEP(ring.intent)\n// STEP(ring.note)\nb();\nc(); // STEP(ring.commit)\n"
_MODEL = "a /* STEP(ring.intent) */ b /* STEP(ring.note) */ c /* STEP(ring.commit) */\n"
_HERE, _THERE = "src/sync/a.hpp", "tests/model/a.pml"
SAMPLES = [
    ({_HERE: _CODE, _THERE: _MODEL}, None),
    ({_HERE: _CODE, _THERE: _MODEL + "/* STEP(ring.intent) STEP(ring.commit) */" + _MODEL}, None),
    ({_HERE: _CODE + "d(); // STEP(ring.keep)\n", _THERE: _MODEL}, "ring.keep: no model has this step"),
    ({_HERE: _CODE, _THERE: _MODEL + "/* STEP(ring.keep) */"}, "ring.keep: the code has no such step"),
    (
        {_HERE: _CODE, _THERE: "/* STEP(ring.note) STEP(ring.intent) STEP(ring.commit) */"},
        "ring.intent comes before ring.note in the code",
    ),
    # The second pass of a model counts, too.
    (
        {_HERE: _CODE, _THERE: _MODEL + "/* STEP(ring.intent) STEP(ring.commit) STEP(ring.note) */"},
        "ring.note comes before ring.commit in the code",
    ),
    ({_HERE: _CODE + _CODE, _THERE: _MODEL}, "ring.intent stands at src/sync/a.hpp:1 already"),
    (
        {_HERE: _CODE, "src/sync/b.hpp": "d(); // STEP(ring.keep)\n", _THERE: _MODEL},
        "ring. has steps in src/sync/a.hpp, too",
    ),
    ({_HERE: _CODE + "// STEP(commit)\n", _THERE: _MODEL}, "not a label of a step"),
    (
        {_HERE: _CODE + "d(); // STEP(ring.keep)\n", _THERE: _MODEL, EXCEPTIONS: "code-only ring.keep"},
        "write: code-only|model-only LABEL",
    ),
    (
        {_HERE: _CODE, _THERE: _MODEL, EXCEPTIONS: "code-only ring.note # it is in both\n"},
        "ring.note is not code-only",
    ),
    (
        {
            _HERE: _CODE + "d(); // STEP(ring.keep)\n",
            _THERE: _MODEL + "/* STEP(event.slice) */",
            EXCEPTIONS: "code-only ring.keep # why\nmodel-only event.slice # why\n",
        },
        None,
    ),
    # A label in a string, or in a test, is none.
    ({_HERE: _CODE + 'f("STEP(ring.keep)");\n', "src/a_test.cpp": "// STEP(x.y)", _THERE: _MODEL}, None),
]
