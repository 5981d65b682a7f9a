#!/usr/bin/env python3
"""Checks that the README's first program is examples/first.cc, and is short."""
import pathlib
import sys

root = pathlib.Path(sys.argv[1])
program = (root / "examples/first.cc").read_text().strip()
problems = []
if f"```cpp\n{program}\n```" not in (root / "README.md").read_text():
    problems.append("README.md does not show examples/first.cc as it is")
if len(program.splitlines()) > 30:
    problems.append("the first program has more than 30 lines")
print(*problems, sep="\n")
sys.exit(1 if problems else 0)
