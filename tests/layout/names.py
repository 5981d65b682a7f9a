#!/usr/bin/env python3
"""Checks that no two headers define a class of the same name: rooms are linked together, tests with
them, and the linker would silently take one for the other."""
import pathlib
import re
import sys

ROOMS = ("protocol", "store", "worker", "driver")
BESIDE = ("tests", "bench", "examples")  # programs of their own, each linked with rooms
CLASS = re.compile(r"^(?:class|struct|enum class) (\w+)(?: final)?(?: : [^{;(]*)? ?\{", re.MULTILINE)


def check(root):
    seen = {}
    for path in sorted(p for room in ROOMS for p in (root / room).rglob("*.h")):
        for name in CLASS.findall(path.read_text()):
            first = seen.setdefault(name, path)
            if first != path:
                yield f"{path.relative_to(root)}: {name} is a class of {first.relative_to(root)} too"
    for path in sorted(p for room in BESIDE for p in (root / room).rglob("*.h")):
        text = path.read_text()
        for name in CLASS.findall(text) if "\nnamespace curia {" in text else ():
            if name in seen:
                first = seen[name]
                yield f"{path.relative_to(root)}: {name} is a class of {first.relative_to(root)} too"


if __name__ == "__main__":
    problems = list(check(pathlib.Path(sys.argv[1])))
    print(*problems, sep="\n")
    sys.exit(1 if problems else 0)
