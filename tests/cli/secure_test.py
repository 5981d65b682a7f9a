#!/usr/bin/env python3
"""Secure devices from the command line: what a plan says before, and what a run took."""
import json
import subprocess
import unittest

import support

MEMBERS = ["alice", "bob", "carol"]


def product(members=MEMBERS):
    ops = []
    for owner in ("alice", "bob"):
        ops += [
            {"op": "dataset", "at": owner, "out": [f"{owner}_x"], "name": "x", "type": f"table[3]{{v:f64}} @{owner}"},
            {"op": "column", "at": owner, "in": [f"{owner}_x"], "out": [f"{owner}_v"], "name": "v"},
            {"op": "share", "at": "abc", "in": [f"{owner}_v"], "out": [f"{owner}_s"], "label": f"{owner}_in"},
        ]
    ops += [
        {"op": "mul", "at": "abc", "in": ["alice_s", "bob_s"], "out": ["p"], "site": "product.py:7"},
        {"op": "sum", "at": "abc", "in": ["p"], "out": ["s"]},
        {"op": "reveal", "at": "carol", "in": ["s"], "out": ["r"], "label": "result"},
    ]
    return {"name": "product", "devices": {"abc": {"protocol": "replicated3", "members": members}}, "ops": ops,
            "outputs": {"secret": "p", "plain": "r"}}


class Secure(support.CliTest):
    def up_three(self, *grants, ranges=None):
        self.write("a.csv", "v\n1.5\n2.5\n-3.5\n")
        self.write("b.csv", "v\n2.5\n4.5\n0.5\n")
        arguments = ["init", "c", "--parties", "alice,bob,carol", "--driver", "dora", "--dataset", "alice/x=a.csv",
                     "--dataset", "bob/x=b.csv"]
        for grant in grants:
            arguments += ["--grant", grant]
        self.run_curia(*arguments)
        for owner in ("alice", "bob") if ranges else ():
            path = self.folder / "c" / owner / "worker.json"
            config = json.loads(path.read_text())
            config["datasets"]["x"]["ranges"] = ranges
            path.write_text(json.dumps(config))
        self.run_curia("up", "c", "--detach")
        self.addCleanup(subprocess.run, [support.CURIA, "down", "c"], cwd=self.folder, capture_output=True)

    def test_the_plan_says_rounds_bytes_memory_and_who_has_to_agree(self):
        path = self.write("product.json", product())
        text = self.out("plan", path)
        self.assertIn("device abc = replicated3(alice, bob, carol)", text)
        self.assertIn("mul : secret<fixed,18>[3] @abc (product.py:7)", text)
        self.assertIn("share of {alice/x} among alice, bob, carol by replicated3 as \"alice_in\": alice must accept",
                      text)
        self.assertIn("reveal of {alice/x, bob/x} to carol as \"result\": alice, bob must agree", text)
        self.assertIn("fetch of output \"secret\" of {alice/x, bob/x} by the driver: alice, bob must agree", text)
        plan = self.json("plan", path)
        self.assertEqual(plan["devices"], {"abc": "replicated3(alice, bob, carol)"})
        ops = {op["op"]: op for op in plan["secure"]["ops"]}
        self.assertEqual(ops["mul"]["bytes"].keys(), set(MEMBERS))
        self.assertGreaterEqual(ops["mul"]["rounds"], 1)
        self.assertGreater(ops["mul"]["memory"], 0)
        self.assertEqual(ops["sum"]["rounds"], 0)
        self.assertEqual(plan["secure"]["rounds"], sum(op["rounds"] * op["runs"] for op in plan["secure"]["ops"]))

    def test_ranges_that_allow_an_overflow_are_refused_and_unknown_ones_are_said(self):
        open_text = self.out("plan", self.write("open.json", product()))
        self.assertIn("warning: op2 share: the range of its operand is unknown", open_text)
        self.assertIn("warning: op6 mul (product.py:7): the range of its operands is unknown", open_text)
        self.assertIn("warning: op6 mul (product.py:7)", self.out("check", "open.json"))
        self.assertEqual(len(self.json("check", "open.json")["warnings"]), 4)
        known = product()
        for op in known["ops"]:
            if op["op"] == "dataset":
                op["range"] = {"v": [-10, 10]}
        self.assertNotIn("warning", self.out("plan", self.write("known.json", known)))
        large = json.loads(json.dumps(known).replace("-10, 10", "-1e4, 1e4"))
        for command in ("check", "plan", "run"):
            text = self.error(command, self.write("large.json", large), code=2)
            self.assertIn("mul (product.py:7)", text)
            self.assertIn("expected products below 2^26", text)
        accepted = json.loads(json.dumps(large))
        for op in accepted["ops"]:
            if op["op"] in ("mul", "sum"):
                op["overflow"] = "warn"
        self.assertIn("warning: op6 mul (product.py:7): expected products below 2^26",
                      self.out("plan", self.write("accepted.json", accepted)))

    def test_a_run_warns_of_an_overflow_that_it_accepts_and_owners_refuse_what_is_not_declared(self):
        self.up_three(*[f"{owner}/x:{to}" for owner in ("alice", "bob") for to in ("alice+bob+carol", "carol", "dora")],
                      ranges={"v": [-1e4, 1e4]})

        def ranged(low, high, **attributes):
            program = product()
            for op in program["ops"]:
                if op["op"] == "dataset":
                    op["range"] = [low, high]
                if op["op"] in ("mul", "sum"):
                    op.update(attributes)
            return self.write("ranged.json", program)

        done = self.run_curia("--json", *self.on("run", ranged(-1e4, 1e4, overflow="warn"), "--fetch", "plain"))
        self.assertIn("curia: warning: op6 mul (product.py:7): expected products below 2^26", done.stderr)
        self.assertAlmostEqual(json.loads(done.stdout)["fetched"]["plain"]["data"][0], 13.25, delta=1e-4)
        quiet = self.run_curia(*self.on("run", self.write("product.json", product()), "--fetch", "plain"))
        self.assertNotIn("warning", quiet.stderr)
        text = self.error(*self.on("run", ranged(-10, 10), "--fetch", "plain"), code=2)
        self.assertIn("op dataset", text)
        self.assertIn("column \"v\", has the range [-10000, 10000], but the program takes [-10, 10] for granted", text)

    def test_after_a_run_the_measured_numbers_stand_beside_the_planned(self):
        self.up_three(*[f"{owner}/x:{to}" for owner in ("alice", "bob") for to in ("alice+bob+carol", "carol", "dora")])
        path = self.write("product.json", product())
        done = self.json(*self.on("run", path, "--fetch", "plain", "--fetch", "secret"))
        self.assertAlmostEqual(done["fetched"]["plain"]["data"][0], 13.25, delta=1e-4)
        for found, expected in zip(done["fetched"]["secret"]["data"], [3.75, 11.25, -1.75]):
            self.assertAlmostEqual(found, expected, delta=1e-5)
        self.assertEqual(done["outputs"]["secret"]["members"], MEMBERS)
        self.assertEqual([op["op"] for op in done["secure"]], ["share", "share", "mul", "sum", "reveal"])
        for op in done["secure"]:
            with self.subTest(op["op"]):
                self.assertEqual(op["measured"], op["planned"])
        text = self.out(*self.on("run", path))
        self.assertIn("planned rounds, bytes sent by alice", text)

    def test_check_tells_what_owners_would_refuse(self):
        self.up_three("alice/x:alice+bob+carol", "bob/x:carol", "alice/x:carol")
        path = self.write("product.json", product())
        self.assertIn("is good", self.out("check", path))
        text = self.out(*self.on("check", "--owners", path), code=3)
        self.assertIn("bob has no grant of bob/x to be shared among alice, bob, carol by replicated3", text)
        self.assertNotIn("alice has no grant", text)
        refused = self.json(*self.on("check", "--owners", path), code=3)["refused"]
        self.assertEqual(len(refused), 1)
        self.assertIn("op share", refused[0])
        self.assertIn("is good", self.out(*self.on("check", path)))
        error = self.error(*self.on("run", path, "--fetch", "plain"), code=3)
        self.assertIn("bob has no grant of bob/x to be shared", error)

    def test_a_grant_to_share_says_what_is_wrong_with_it(self):
        self.write("a.csv", "v\n1\n")
        base = ["init", "c", "--parties", "alice,bob,carol", "--driver", "dora", "--dataset", "alice/x=a.csv"]
        self.assertIn("\"dan\" is not among", self.error(*base, "--grant", "alice/x:alice+bob+dan", code=2))
        self.run_curia(*base, "--grant", "alice/x:alice+bob+carol")
        path = self.folder / "c/alice/worker.json"
        config = json.loads(path.read_text())
        grant = config["grants"][0]
        self.assertEqual(grant["share_among"], MEMBERS)
        for change, expected in [
                ({"share_among": ["alice", "bob"]}, "expected three distinct parties"),
                ({"share_among": ["alice", "bob", "dan"]}, "\"dan\" is not among the parties"),
                ({"to": "bob"}, "a grant has either to or share_among"),
                ({"protocol": "spdz"}, "expected \"replicated3\"")]:
            config["grants"] = [{**grant, **change}]
            path.write_text(json.dumps(config))
            done = subprocess.run([support.WORKER, "--config", path, "--check"], capture_output=True, text=True,
                                  timeout=60)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(expected, done.stderr + done.stdout)


if __name__ == "__main__":
    unittest.main()
