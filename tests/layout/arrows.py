#!/usr/bin/env python3
"""Checks that every #include points to a room its own room may use, and nothing else."""
import pathlib
import re
import sys

# The innermost folder named here decides; a room may always use itself.
ARROWS = {
    "protocol": [],
    "protocol/link": ["protocol"],
    "store": ["protocol"],
    "worker": ["worker/kernels", "worker/mpc", "store", "protocol", "protocol/link"],
    "worker/simulation": ["worker", "store", "protocol", "protocol/link"],
    "worker/mpc": ["protocol"],
    "worker/kernels": ["worker/mpc", "store", "protocol"],
    "driver": ["store", "protocol", "protocol/link"],
    # What an op on a secure device costs is known without a worker.
    "driver/cli": ["driver", "store", "protocol", "protocol/link", "worker/mpc"],
    "examples": ["driver", "store", "protocol", "worker", "worker/simulation"],
}


def room_of(path):
    folders = [str(parent) for parent in pathlib.PurePath(path).parents]
    return next((folder for folder in folders if folder in ARROWS), folders[-2:][0])


def check(root):
    wrong = []
    for top in sorted({room.split("/")[0] for room in ARROWS}):
        for path in sorted((root / top).rglob("*")):
            if path.suffix not in (".h", ".cc"):
                continue
            room = room_of(path.relative_to(root))
            for number, line in enumerate(path.read_text().splitlines(), 1):
                found = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
                if found and room_of(found[1]) not in [room, *ARROWS[room]]:
                    wrong.append(f"{path.relative_to(root)}:{number}: {room} may not use {found[1]}")
    return wrong


if __name__ == "__main__":
    problems = check(pathlib.Path(sys.argv[1]))
    print(*problems, sep="\n")
    sys.exit(1 if problems else 0)
