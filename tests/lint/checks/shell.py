"""Shell scripts pass shellcheck, and a misspelled variable ends them (`set -u`)."""

import json
import pathlib
import re
import subprocess
import tempfile

from source_tree import Problem

NAME = "shell"
PURPOSE = "shell scripts pass shellcheck and refuse unset variables"


def check(tree):
    scripts = {
        path: text
        for path, text in tree.files.items()
        if text.startswith(("#!/usr/bin/env bash", "#!/bin/sh", "#!/bin/bash"))
    }
    problems = [
        Problem(path, 1, "no `set -u`, or better `set -euo pipefail`")
        for path, text in scripts.items()
        if not re.search(r"^set -e?u", text, re.MULTILINE)
    ]
    return problems + _shellcheck(scripts)


def _shellcheck(scripts):
    if not scripts:
        return []
    with tempfile.TemporaryDirectory() as folder:
        for path, text in scripts.items():
            place = pathlib.Path(folder) / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        command = ["shellcheck", "--format=json", *scripts]
        output = subprocess.run(command, cwd=folder, capture_output=True, text=True).stdout
    return [
        Problem(found["file"], found["line"], f"shellcheck SC{found['code']}: {found['message']}")
        for found in json.loads(output)
    ]


_HEAD = "#!/usr/bin/env bash\nset -euo pipefail\n"
SAMPLES = [
    ({"dev": "#!/usr/bin/env bash\necho hello\n"}, "no `set -u`"),
    ({"dev": _HEAD + "rm $1\n"}, "SC2086"),
    ({"dev": _HEAD + 'rm "$1"\n', "tests/a/run": "#!/usr/bin/env python3\n"}, None),
]
