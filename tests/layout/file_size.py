#!/usr/bin/env python3
"""Checks that no source file has more than 400 lines without a reason given here."""
import pathlib
import sys

MOST = 400
ROOMS = ("protocol", "store", "worker", "driver", "tests", "examples", "bench")
REASONS = {
    "protocol/verify.cc": "one walk over a graph, whose state all its steps share",
}


def check(root):
    for path in sorted(p for room in ROOMS for p in (root / room).rglob("*")):
        if path.suffix not in (".h", ".cc", ".py", ".sh"):
            continue
        name, lines = str(path.relative_to(root)), len(path.read_text().splitlines())
        if lines > MOST and name not in REASONS:
            yield f"{name} has {lines} lines; split it, or give a reason in tests/layout/file_size.py"
        if lines <= MOST and name in REASONS:
            yield f"{name} has {lines} lines; its reason in tests/layout/file_size.py can go"


if __name__ == "__main__":
    problems = list(check(pathlib.Path(sys.argv[1])))
    print(*problems, sep="\n")
    sys.exit(1 if problems else 0)
