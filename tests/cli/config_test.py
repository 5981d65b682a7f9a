#!/usr/bin/env python3
"""Wrong command lines, configurations and programs: what is wrong, where, and what is expected."""
import json
import os
import pathlib
import socket
import stat
import subprocess
import unittest

import support


def rule(count=1, **fields):
    """Gives a configuration `count` rules, of which something is wrong."""
    def change(config):
        good = {"source": "x", "to": config["grants"][0]["to"], "epsilon": 1, "delta": 1e-6}
        config["rules"] = [good | fields] * count
    return change


class Usage(support.CliTest):
    def test_keygen_writes_a_private_file_once(self):
        made = self.json("keygen", "alice")
        self.assertEqual(len(made["public_key"]), 40)
        self.assertEqual(stat.S_IMODE(os.stat(self.folder / "alice.key").st_mode), 0o600)
        self.assertIn("never overwritten", self.error("keygen", "alice", code=2))
        self.assertNotIn(json.loads((self.folder / "alice.key").read_text())["secret"], json.dumps(made))

    def test_init_does_not_overwrite(self):
        self.init()
        self.assertEqual(stat.S_IMODE(os.stat(self.folder / "c/alice/alice.key").st_mode), 0o600)
        self.assertIn("is not empty", self.error("init", "c", "--parties", "a,b", "--driver", "d", code=2))

    def test_init_says_which_option_is_wrong(self):
        self.write("x.csv", "v\n1\n")
        for arguments, expected in [
                (["--dataset", "alice=x.csv"], "--dataset: expected party/name=file.csv"),
                (["--dataset", "carol/x=x.csv"], "\"carol\" is not among --parties"),
                (["--dataset", "alice/x=none.csv"], "none.csv is no file"),
                (["--grant", "alice/x:bob"], "alice was given no dataset \"x\""),
                (["--dataset", "alice/x=x.csv", "--grant", "alice/x:carol"], "\"carol\" is not among"),
                (["--base-port", "65534"], "beyond 65535")]:
            text = self.error("init", "c", "--parties", "alice,bob", "--driver", "dora", *arguments, code=2)
            self.assertIn(expected, text)
            self.assertFalse((self.folder / "c").exists())

    def test_wrong_usage_has_its_exit_code(self):
        for arguments in [[], ["frobnicate"], ["run"], ["fetch", "x"], ["status"], ["ls", "--session", "none.json"]]:
            self.error(*arguments, code=2)
        self.assertIn("Exit codes", self.out("--help"))

    def test_programs_are_checked_without_a_cluster(self):
        good = self.write("total.json", support.TOTAL)
        self.assertEqual(self.json("check", good)["parties"], ["alice", "bob"])
        self.assertIn("%3 = transfer(%2) @bob", self.out("plan", good))
        plan = self.json("plan", good)
        self.assertEqual(plan["outputs"]["total"], "i64[] @bob")
        self.assertEqual(plan["digest"], self.out("digest", good).strip())
        bad = json.loads(json.dumps(support.TOTAL))
        bad["ops"][2]["op"] = "summ"
        self.assertIn("summ", self.error("check", self.write("bad.json", bad), code=2))
        self.assertIn("broken.json", self.error("check", self.write("broken.json", "{"), code=2))
        self.assertIn("none.json", self.error("digest", "none.json", code=2))


class Configuration(support.CliTest):
    def change(self, name, change):
        path = self.folder / "c" / name
        config = json.loads(path.read_text())
        change(config)
        path.write_text(json.dumps(config))

    def up_fails(self):
        return self.error("up", "c", "--detach", code=2)

    def test_a_worker_names_file_and_field(self):
        self.init()
        path = self.folder / "c/alice/worker.json"
        good = path.read_text()
        for change, expected in [
                (lambda c: c.update(control="nowhere"), "worker.json: control: expected \"host:port\""),
                (lambda c: c.pop("key_file"), "worker.json: key_file: this field is missing"),
                (lambda c: c.update(colour="red"), "colour"),
                (lambda c: c["parties"]["bob"].update(key="short"), "parties.bob.key"),
                (lambda c: c["grants"][0].update(to="eve"), "\"eve\" is neither among parties nor"),
                (lambda c: c["grants"][0].update(programs=["12"]), "programs"),
                (rule(to="eve"), "rules[0].to"),
                (rule(source="roses"), "rules[0].source"),
                (rule(epsilon=0), "rules[0].epsilon"),
                (rule(epsilon=-1.5), "rules[0].epsilon"),
                (rule(epsilon="1"), "rules[0].epsilon: expected a number"),
                (rule(delta=1), "rules[0].delta"),
                (rule(delta=-1e-9), "rules[0].delta"),
                (rule(programs=[]), "rules[0].programs"),
                (rule(count=2), "make them one"),
                (lambda c: c.update(memory_quota_mib=0), "memory_quota_mib"),
                (lambda c: c.update(fs_root="/proc/none"), "fs_root /proc/none cannot be used"),
                (lambda c: (c.pop("fs_root"), c.update(fs_quota_mib=5)), "fs_root, which is not set"),
                (lambda c: c.update(fs_quota_mib=-1), "fs_quota_mib"),
                (lambda c: c.update(session_quota_mib=-1), "session_quota_mib"),
                (lambda c: c.update(memory_quota_mib=5, session_quota_mib=6),
                 "session_quota_mib: a session's share is part of memory_quota_mib, at most 5"),
                (lambda c: c.update(spill_quota_mib=-1), "spill_quota_mib"),
                (lambda c: c.update(spill_dir="x"), "spill_dir: nothing is spilled without spill_quota_mib"),
                (lambda c: c.update(spill_quota_mib=5, spill_dir="/proc/none"), "name another one in spill_dir"),
                (lambda c: c.update(log_level="loud"), "log_level: expected debug, info, warn or error"),
                (lambda c: c["datasets"]["x"].update(csv="none.csv"), "none.csv"),
                (lambda c: c["datasets"]["x"].update(ranges={"v": [3, 1]}), "datasets.x.ranges: expected a range"),
                (lambda c: c["datasets"]["x"].update(ranges={"v": "1"}), "datasets.x.ranges.v: expected a range of"),
                (lambda c: c["datasets"]["x"].update(ranges={"z": [0, 1]}), "\"z\", which is no column"),
                (lambda c: c["datasets"]["x"].update(ranges={"v": [0, 2]}),
                 "column \"v\" holds cells beyond its declared range [0, 2]"),
                (lambda c: c["datasets"]["x"].update(ranges={"w": [0, 9]}), "column \"w\" holds cells beyond")]:
            self.change("alice/worker.json", change)
            text = self.up_fails()
            self.assertIn("at alice", text)
            self.assertIn(expected, text)
            path.write_text(good)
        path.write_text("{ not json")
        self.assertIn("worker.json", self.up_fails())

    def test_when_one_worker_fails_none_is_left(self):
        self.init()
        self.change("bob/worker.json", lambda c: c.update(log_level="loud"))
        self.up_fails()
        self.assertEqual(self.json("down", "c")["stopped"], [])

    def test_a_port_in_use_is_named(self):
        self.init()
        for field in ("control", "data"):
            with socket.socket() as taken:
                taken.bind(("127.0.0.1", 0))
                taken.listen()
                address = f"127.0.0.1:{taken.getsockname()[1]}"
                path = self.folder / "c/alice/worker.json"
                good = path.read_text()
                self.change("alice/worker.json", lambda c, f=field, a=address: c.update({f: a}))
                done = subprocess.run([support.CURIA, "up", "c", "--detach"], capture_output=True, text=True,
                                      cwd=self.folder, timeout=120)
                self.assertIn(done.returncode, (1, 2), done.stderr)
                self.assertIn(address.split(":")[1], done.stderr)
                path.write_text(good)

    def test_a_key_that_others_can_read_is_refused(self):
        self.init()
        key = self.folder / "c/alice/alice.key"
        key.chmod(0o644)
        self.assertIn("alice.key", self.up_fails())
        key.chmod(0o600)
        (self.folder / "c/dora.key").chmod(0o640)
        self.assertIn("dora.key", self.error(*self.on("status"), code=2))
        doctor = self.json(*self.on("doctor"), code=2)
        self.assertFalse(next(f for f in doctor["findings"] if f["what"] == "key file")["good"])

    def test_a_cluster_file_names_file_and_field(self):
        self.init()
        good = pathlib.Path(self.cluster).read_text()
        for change, expected in [(lambda c: c.pop("driver"), "dora.json: driver: this field is missing"),
                                 (lambda c: c["parties"]["bob"].update(control="x"), "expected \"host:port\""),
                                 (lambda c: c["parties"]["bob"].update(key="x"), "parties.bob.key"),
                                 (lambda c: c.update(parties={}), "expected at least one party"),
                                 (lambda c: c.update(key_file="none.key"), "none.key")]:
            self.change("dora.json", change)
            self.assertIn(expected, self.error(*self.on("status"), code=2))
            pathlib.Path(self.cluster).write_text(good)

    def test_a_session_file_that_is_none_is_refused(self):
        self.init()
        for text, expected in [("[]", "expected an object"), ("{}", "cluster: this field is missing"),
                               (json.dumps({"cluster": self.cluster, "lease_seconds": 60, "session": "{}"}),
                                "session")]:
            self.write("s.json", text)
            self.assertIn(expected, self.error(*self.within("ls"), code=2))


if __name__ == "__main__":
    unittest.main(verbosity=1)
