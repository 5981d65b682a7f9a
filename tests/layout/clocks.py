#!/usr/bin/env python3
"""Checks that only what deals in dates looks at the wall clock: leases, time-outs and silences must
not notice when somebody sets it."""
import pathlib
import re
import sys

ROOMS = ("protocol", "store", "worker", "driver")
WALL = re.compile(
    r"\b(system_clock|high_resolution_clock|utc_clock|gettimeofday|CLOCK_REALTIME\w*|timespec_get|localtime)\b"
    r"|\b(std::)?time\((nullptr|NULL|0)\)")
ALLOWED = {
    "protocol/utc.h": "the ends of grants and approvals are dates",
    "protocol/utc.cc": "the ends of grants and approvals are dates",
    "driver/cli/approve.cc": "whether the end that is asked for has passed",
    "worker/audit.cc": "records say when",
    "worker/consent.cc": "whether a grant has ended",
}


def check(root):
    used = set()
    for path in sorted(p for room in ROOMS for p in (root / room).rglob("*")):
        if path.suffix not in (".h", ".cc"):
            continue
        name = str(path.relative_to(root))
        for number, line in enumerate(path.read_text().splitlines(), 1):
            found = WALL.search(line)
            if found is None:
                continue
            used.add(name)
            if name not in ALLOWED:
                yield (f"{name}:{number}: {found[0]} jumps when the clock is set; use steady_clock, "
                       "or give a reason in tests/layout/clocks.py")
    for name in ALLOWED.keys() - used:
        yield f"{name} does not look at the wall clock; its reason in tests/layout/clocks.py can go"


if __name__ == "__main__":
    problems = list(check(pathlib.Path(sys.argv[1])))
    print(*problems, sep="\n")
    sys.exit(1 if problems else 0)
