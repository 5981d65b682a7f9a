#!/usr/bin/env python3
"""`curia audit` and `curia grants` on the logs and workers of a small cluster."""
import hashlib
import json
import pathlib
import struct
import unittest

import support


def text(data):
    return struct.pack("<I", len(data)) + data


def forged_log(records):
    """A log that nobody signed; `records`: (kind, fields)."""
    log, before = b"curia audit 1\n", bytes(32)
    for number, (kind, fields) in enumerate(records, 1):
        body = struct.pack("<QqB", number, 0, kind) + text(b"mallory") + text(b"") + struct.pack("<QQ", 0, 1)
        body += struct.pack("<I", len(fields)) + b"".join(text(name) + text(value) for name, value in fields)
        pieces = (b"curia audit record 1", before, body)
        before = hashlib.sha256(b"".join(struct.pack("<Q", len(p)) + p for p in pieces)).digest()
        log += text(body) + before
    return log


class Audit(support.CliTest):
    def log(self, party):
        return self.folder / f"c/{party}/state/audit.log"

    def used(self):
        """A cluster that ran something, and is down."""
        self.up()
        for _ in range(3):
            self.run_curia(*self.on("run", "total.json", "--fetch", "total"))
        self.error(*self.on("run", "total.json", "--fetch", "rows"), code=3)
        self.run_curia("down", "c")

    def test_show_and_verify(self):
        self.used()
        records = self.json("audit", "show", "c/alice/state")["records"]
        self.assertEqual([r["record"] for r in records], list(range(1, len(records) + 1)))
        self.assertEqual(records[0]["kind"], "start")
        given = self.json("audit", "show", self.log("alice").as_posix(), "--kind", "consent", "--of", "dora")["records"]
        self.assertTrue(any(["to", "bob"] in r["fields"] and ["answer", "given"] in r["fields"] for r in given))
        self.assertTrue(any(["answer", "denied"] in r["fields"] for r in given))
        text = self.out("audit", "show", "c/alice/state", "--kind", "consent", "--last", "1")
        self.assertIn("source=x", text)
        self.assertEqual(len(text.splitlines()), 1)
        self.assertIn("no kind", self.error("audit", "show", "c/alice/state", "--kind", "x", code=2))

        self.assertIn("good: ", self.out("audit", "verify", "c/alice/state"))
        found = self.json("audit", "verify", "c/alice/state", "--peer", "c/bob/state")
        self.assertTrue(found["good"], found)
        self.assertGreater(found["seen_to"], 1)
        self.assertEqual(found["party"], "alice")
        heads = self.write("heads.json", self.out("audit", "heads", "c/bob/state"))
        again = self.json("audit", "verify", "c/alice/state", "--peer", heads, "--key", found["key"])
        self.assertEqual(again["seen_to"], found["seen_to"])
        self.assertIn("none.log", self.error("audit", "verify", "none.log", code=2))
        self.assertIn("total.json", self.error("audit", "verify", "total.json", code=2))

    def test_a_log_that_was_changed_is_found(self):
        self.used()
        good = self.log("alice").read_bytes()
        at = good.index(b"given")
        self.log("alice").write_bytes(good[:at] + b"GIVEN" + good[at + 5:])
        text = self.run_curia("audit", "verify", "c/alice/state", code=1).stdout
        self.assertRegex(text, r"record \d+ \(consent, .*\) was edited")
        self.assertIn("NOT good", text)
        self.log("alice").write_bytes(good[:at - 100])
        self.assertIn("it was cut", self.run_curia("audit", "verify", "c/alice/state", code=1).stdout)
        found = self.json("audit", "verify", str(self.log("alice")), "--peer", "c/bob/state", code=1)
        self.assertIn("cut off", found["problems"][0]["text"])

    def test_nothing_in_a_log_reaches_the_terminal_as_a_control_character(self):
        party = b"alice\x1b[2J\x1b[H good: 900 records of alice\x1b[8m"
        log = self.folder / "evil.log"
        log.write_bytes(forged_log([(1, [(b"party", party), (b"key", b"00" * 32), (b"epoch", b"1")]),
                                    (12, [(b"request", b"\xc2\x9b31mred"), (b"code", b"\xff")])]))
        for flags in ([], ["--json"]):
            for command, code in (("show", 0), ("verify", 1)):
                shown = self.run_curia(*flags, "audit", command, str(log), code=code).stdout
                controls = [c for c in shown if c != "\n" and (ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0)]
                self.assertEqual(controls, [], shown)
        text = self.run_curia("audit", "verify", str(log), code=1).stdout
        self.assertIn("nothing in this log is signed", text)
        self.assertIn("\\x1b[2J", text)
        self.assertIn("\\xc2\\x9b31mred", self.out("audit", "show", str(log)))

    def test_a_driver_reads_the_grants_that_name_it(self):
        self.up()
        found = self.json(*self.on("grants"))["grants"]
        self.assertEqual([(g["party"], g["source"], g["to"], g["releases"]) for g in found],
                         [("alice", "x", "dora", ["total"])])
        self.assertIn("alice  x       dora  total", self.out(*self.on("grants", "alice")))
        config = json.loads((self.folder / "c/alice/worker.json").read_text())
        self.assertEqual(len(config["grants"]), 2)
        self.assertTrue(pathlib.Path(self.log("alice")).exists())


if __name__ == "__main__":
    unittest.main(verbosity=1)
