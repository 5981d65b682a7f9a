#!/usr/bin/env python3
"""From the plan of a program to its approval and run, as owners and driver would do it."""
import json
import os
import pathlib
import subprocess
import time
import unittest

import support

UNTIL = "2200-01-01T00:00:00Z"
FIRST = os.environ["CURIA_FIRST"]


class Approve(support.CliTest):
    def up_with_approvers(self):
        """alice and bob with data, no grants."""
        rows = "petal_length_cm\n" + "".join(f"{i / 10}\n" for i in range(50))
        self.write("iris.csv", rows)
        self.run_curia("init", "c", "--parties", "alice,bob", "--driver", "dora", "--dataset", "alice/iris=iris.csv",
                       "--dataset", "bob/iris=iris.csv")
        self.run_curia("up", "c", "--detach")
        self.addCleanup(self.run_curia, "down", "c")

    def approve(self, party, plan, *more):
        return self.json("approve", plan, "--owner", party, "--key", f"c/{party}/approver.key", "--until", UNTIL,
                         "--out", f"c/{party}/approvals/{time.monotonic_ns()}.json", *more)

    def reload(self, party):
        self.assertEqual(self.json("reload", "c", party), {"reloaded": [party]})

    def first(self, code):
        """The driver program of the README."""
        done = subprocess.run([FIRST, self.cluster], capture_output=True, text=True, timeout=120, cwd=self.folder)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def test_a_driver_program_is_planned_approved_and_run_once(self):
        self.up_with_approvers()
        self.assertIn("curia plan --release", self.first(1))
        text = self.out(*self.on("plan", "--release", "--out", "plan.json", FIRST, self.cluster))
        self.assertIn('f64[] @alice of {alice/iris} would go to bob', text)
        self.assertIn('fetch of output "mean"', text)
        self.assertRegex(text, r"by step 1 \"first\": dataset \(first.cc:\d+\), column")
        self.assertIn("no secure computation", text)
        again = self.json("plan", "--release", "plan.json", "--owner", "bob")
        self.assertEqual([r["action"] for r in again["releases"]], ["fetch"])
        self.assertEqual(len(again["releases"][0]["lineage"]), 64)
        for party in ("alice", "bob"):
            self.approve(party, "plan.json")
            self.reload(party)
        grants = self.json(*self.on("grants"))["grants"]
        self.assertEqual([(g["party"], g["to"], g["times"], g["used"]) for g in grants],
                         [("alice", "bob", 1, 0), ("alice", "dora", 1, 0), ("bob", "dora", 1, 0)])
        self.assertIn("approval ", self.out(*self.on("grants")))
        self.assertIn("2.450", self.first(0))
        self.assertIn("1 time(s)", self.first(1))
        # What was used stays used.
        self.run_curia("down", "c")
        self.run_curia("up", "c", "--detach")
        self.assertIn("1 time(s)", self.first(1))
        self.assertIn("approval=", self.out("audit", "show", "c/alice/state", "--kind", "consent"))

    def test_a_program_in_json_form_is_planned_too(self):
        self.up_with_approvers()
        total = {"name": "total", "ops": [
            {"op": "dataset", "at": "alice", "out": ["x"], "name": "iris", "type": "table[50]{petal_length_cm:f64} @alice"},
            {"op": "column", "at": "alice", "in": ["x"], "out": ["v"], "name": "petal_length_cm"},
            {"op": "sum", "at": "alice", "in": ["v"], "out": ["s"]}], "outputs": {"total": "s", "rows": "x"}}
        path = self.write("total.json", total)
        refused = self.run_curia(*self.on("check", "--owners", "--fetch", "total", path), code=3).stdout
        self.assertIn("alice has no grant of alice/iris to dora", refused)
        self.json(*self.on("plan", "--release", "--fetch", "total", "--out", "plan.json", path))
        self.approve("alice", "plan.json", "--times", "2")
        self.reload("alice")
        self.assertIn("the owners agree", self.out(*self.on("check", "--owners", "--fetch", "total", path)))
        self.error(*self.on("run", path, "--fetch", "rows"), code=3)
        for _ in range(2):
            self.assertIn("122.5", self.out(*self.on("run", path, "--fetch", "total")))
        self.error(*self.on("run", path, "--fetch", "total"), code=3)

    def test_an_approval_that_is_none_keeps_the_old_policy(self):
        self.up_with_approvers()
        self.run_curia(*self.on("plan", "--release", "--out", "plan.json", FIRST, self.cluster))
        made = self.approve("alice", "plan.json")
        path = self.folder / made["file"]
        good = path.read_text()
        path.write_text(good.replace('"times": 1', '"times": 9'))
        self.assertIn("the signature does not belong to what the file says", self.error("reload", "c", code=2))
        path.write_text(good)
        self.reload("alice")
        path.write_text(good.replace('"to": "bob"', '"to": "eve"'))
        self.assertIn("the signature does not belong to what the file says", self.error("reload", "c", code=2))
        self.assertEqual(len(self.json(*self.on("grants"))["grants"]), 2)

    def test_mistakes_are_told(self):
        self.up_with_approvers()
        self.run_curia(*self.on("plan", "--release", "--out", "plan.json", FIRST, self.cluster))
        self.assertIn("not overwritten", self.error(
            *self.on("plan", "--release", "--out", "plan.json", FIRST, self.cluster), code=2))
        key = ["--key", "c/alice/approver.key"]
        until = ["--until", UNTIL]
        self.assertIn("needs the consent of carol",
                      self.error("approve", "plan.json", "--owner", "carol", *key, *until, code=2))
        self.assertIn("has passed", self.error("approve", "plan.json", "--owner", "alice", *key, "--until",
                                               "2020-01-01T00:00:00Z", code=2))
        self.assertIn("does not hold a signing key", self.error(
            "approve", "plan.json", "--owner", "alice", "--key", "c/dora.key", *until, code=2))
        self.assertIn("expected an object {...}", self.error(
            "approve", self.write("no.json", "[]"), "--owner", "alice", *key, *until, code=2))
        self.assertIn("neither a .json file", self.error(*self.on("plan", "--release", "iris.csv"), code=2))
        self.assertIn("planned nothing", self.error(*self.on("plan", "--release", "/bin/true"), code=2))
        self.assertIn("failed while it was planned", self.error(*self.on("plan", "--release", "/bin/false"), code=1))
        self.assertIn("no party \"eve\"", self.error("reload", "c", "eve", code=2))
        # A key of a person who is none of a worker's own.
        made = self.json("keygen", "--signing", "ann")
        self.assertEqual((self.folder / made["file"]).stat().st_mode & 0o777, 0o600)
        self.json("approve", "plan.json", "--owner", "alice", "--key", made["file"], *until, "--out",
                  "c/alice/approvals/ann.json")
        self.assertIn("is none of the approvers", self.error("reload", "c", "alice", code=2))
        self.assertIn("go with --release", self.error("plan", "plan.json", "--owner", "alice", code=2))
        self.assertTrue(pathlib.Path(self.folder / "plan.json").exists())


if __name__ == "__main__":
    unittest.main(verbosity=1)
