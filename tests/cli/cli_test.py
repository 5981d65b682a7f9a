#!/usr/bin/env python3
"""`curia` against real workers."""
import json
import os
import pathlib
import signal
import subprocess
import unittest

import support


class Running(support.CliTest):
    def test_a_result_is_computed_and_fetched(self):
        self.up()
        found = self.json(*self.on("run", "total.json", "--fetch", "total"))
        self.assertEqual(found["fetched"]["total"], {"type": "i64[]", "data": [6]})
        self.assertTrue(found["outputs"]["rows"]["uri"].startswith("mem://"))

    def test_what_no_owner_granted_is_denied(self):
        self.up()
        text = self.error(*self.on("run", "total.json", "--fetch", "rows"), code=3)
        self.assertIn("DENIED at alice", text)
        answer = self.json(*self.on("run", "total.json", "--fetch", "rows"), code=3)
        self.assertEqual(answer["error"]["code"], "DENIED")

    def test_fetched_values_are_saved_once(self):
        self.up()
        save = self.on("run", "total.json", "--fetch", "total", "--save", "out")
        self.run_curia(*save)
        self.assertEqual((self.folder / "out/total.npy").read_bytes()[-8:], (6).to_bytes(8, "little"))
        self.assertIn("is not overwritten", self.error(*save, code=2))

    def test_commands_go_on_with_the_session_of_another(self):
        self.up()
        self.run_curia(*self.on(*self.within("run", "total.json")))
        listed = self.json(*self.within("ls"))["objects"]
        self.assertEqual(sorted(o["name"] for o in listed), ["rows", "total"])
        self.assertEqual(self.json(*self.within("describe", "rows"))["label"], "{alice/x}")
        lines = self.out(*self.within("describe", "total", "--lineage")).splitlines()
        self.assertRegex(lines[0], r"^mem://[0-9a-f]{32} i64\[\] @bob, ready$")
        self.assertRegex(lines[1], r'^  by transfer, output total of program "total" [0-9a-f]{16}, task 1$')
        self.assertRegex(lines[2], r"^  dataset alice/x, snapshot [0-9a-f]{16}$")
        nodes = self.json(*self.within("describe", "total", "--lineage"))["nodes"]
        self.assertEqual([node["what"] for node in nodes], ["value", "dataset"])
        self.assertEqual(self.json(*self.within("fetch", "total"))["data"], [6])
        self.write("twice.json", support.TWICE)
        self.run_curia(*self.within("run", "twice.json", "--input", "a=total"))
        self.assertEqual(len(self.json(*self.within("ls"))["objects"]), 3)
        self.error(*self.within("fetch", "rows"), code=3)
        uri = next(o["uri"] for o in listed if o["name"] == "total")
        self.assertEqual(self.out(*self.within("fetch", uri)).strip(), "6")
        begin = uri[:len("mem://") + 4]
        self.assertEqual([o["uri"] for o in self.json(*self.within("ls", "--prefix", begin))["objects"]
                          if o["uri"].startswith(begin)], [uri])
        self.assertIn("a prefix begins with mem://, fs:/// or oss://",
                      self.error(*self.within("ls", "--prefix", "rows"), code=2))
        self.run_curia(*self.within("rm", "rows", "twice"))
        self.assertEqual([o["name"] for o in self.json(*self.within("ls"))["objects"]], ["total"])
        self.run_curia(*self.within("session", "close"))
        self.error(*self.within("ls"), code=2)

    def test_what_a_program_saved_is_there_in_the_next_session_and_after_a_restart(self):
        self.init("--grant", "alice/x:dora")
        self.run_curia("up", "c", "--detach")
        self.addCleanup(subprocess.run, [support.CURIA, "down", "c"], cwd=self.folder, capture_output=True)
        program = self.write("save.json", {"name": "save", "ops": support.TOTAL["ops"][:3] + [
            {"op": "save", "at": "alice", "in": ["s"], "uri": "fs:///results/total"}], "outputs": {"s": "s"}})
        self.run_curia(*self.on("run", program, "--fetch", "s"))
        self.run_curia("down", "c")
        self.run_curia("up", "c", "--detach")
        uri = "fs:///results/total"
        self.run_curia(*self.on(*self.within("session", "open", "--lease", "60")))
        self.assertEqual(self.json(*self.within("describe", uri))["label"], "{alice/x}")
        self.assertEqual(self.out(*self.within("fetch", uri)).strip(), "6")
        stored = lambda prefix: [o["uri"] for o in self.json(*self.within("ls", "--prefix", prefix))["objects"]]
        self.assertEqual(stored("fs:///"), [uri])
        self.assertEqual(stored("fs:///results/t"), [uri])
        self.assertEqual(stored("fs:///results/u"), [])
        self.assertIn("no store for oss://", self.error(*self.within("ls", "--prefix", "oss://"), code=1))
        self.run_curia(*self.within("rm", uri))
        self.assertIn("no party has", self.error(*self.within("fetch", uri), code=1))

    def test_large_puts_and_fetches_of_different_processes(self):
        self.up()
        rows = "".join(f"{i},{i}.5\n" for i in range(40000))
        big = self.write("big.csv", "a,b\n" + rows)
        self.run_curia(*self.on(*self.within("session", "open", "--lease", "60")))
        for name in ("one", "two", "three"):
            self.run_curia(*self.within("put", "bob", big, "--name", name))
            self.run_curia(*self.within("fetch", name, "--save", name + ".csv"))
            self.assertEqual((self.folder / (name + ".csv")).read_text(), pathlib.Path(big).read_text())

    def test_an_older_process_does_not_get_the_session_back(self):
        self.up()
        self.run_curia(*self.on(*self.within("session", "open")))
        old = pathlib.Path(self.session).read_text()
        self.run_curia(*self.within("ls"))
        pathlib.Path(self.session).write_text(old)
        self.assertIn("SESSION_OVER", self.error(*self.within("ls"), code=1))

    def test_ctrl_c_cancels_the_run(self):
        self.up()
        program = self.write("endless.json", support.ENDLESS)
        with subprocess.Popen([support.CURIA, *self.on("run", program)], cwd=self.folder, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            self.assertTrue(process.stdout.readline().startswith("m = mem://"))
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        self.assertEqual(self.json(*self.on("stats", "alice"))["alice"]["sessions"], 0)

    def test_a_time_limit_has_its_exit_code(self):
        self.up()
        program = self.write("endless.json", support.ENDLESS)
        self.assertIn("TIMEOUT", self.error(*self.on("run", program, "--timeout", "0.3", "--fetch", "m"), code=5))


class Watching(support.CliTest):
    def test_status_stats_datasets_and_doctor(self):
        self.up()
        status = self.json(*self.on("status"))
        self.assertEqual([(p["party"], p["up"], p["epoch"]) for p in status["parties"]],
                         [("alice", True, 1), ("bob", True, 1)])
        self.assertEqual(status["waits"], [])
        self.assertEqual(self.json(*self.on("stats"))["bob"]["objects"], 0)
        self.assertEqual(self.json(*self.on("datasets", "alice"))["datasets"],
                         [{"party": "alice", "name": "x", "type": "table[3]{v:i64,w:f64} @alice"}])
        doctor = self.json(*self.on("doctor"))
        self.assertTrue(doctor["good"], doctor)

    def test_a_worker_that_is_down_is_said(self):
        self.up()
        ready = self.folder / "c/bob/ready.json"
        os.kill(json.loads(ready.read_text())["pid"], signal.SIGKILL)
        self.error(*self.on("run", "total.json"), code=4)
        status = self.json(*self.on("status"), code=4)
        self.assertEqual({p["party"]: p["up"] for p in status["parties"]}, {"alice": True, "bob": False})
        doctor = self.json(*self.on("doctor"), code=4)
        self.assertFalse(doctor["good"])

    def test_a_party_that_does_not_exist(self):
        self.up()
        self.assertIn("there is alice, bob", self.error(*self.on("stats", "carol"), code=2))

    def test_doctor_tells_a_wrong_key_from_a_closed_port(self):
        self.up()
        config = json.loads(pathlib.Path(self.cluster).read_text())
        config["parties"]["bob"]["key"] = config["parties"]["alice"]["key"]
        self.cluster = self.write("c/wrong.json", config)
        found = {f["what"]: f["good"] for f in self.json(*self.on("doctor"), code=4)["findings"]}
        self.assertTrue(found["bob control port"])
        self.assertFalse(found["bob keys"])
        self.assertTrue(found["alice keys"])

    def test_up_in_the_foreground_ends_with_ctrl_c(self):
        self.init()
        with subprocess.Popen([support.CURIA, "up", "c"], cwd=self.folder, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            while "all are ready" not in process.stdout.readline():
                self.assertIsNone(process.poll())
            pids = [json.loads((self.folder / f"c/{p}/ready.json").read_text())["pid"] for p in ("alice", "bob")]
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0)
        for pid in pids:
            self.assertFalse(pathlib.Path(f"/proc/{pid}").exists())

    def test_up_twice_is_refused_and_down_twice_is_not(self):
        self.up()
        self.assertIn("running already", self.error("up", "c", "--detach", code=2))
        self.assertEqual(sorted(self.json("down", "c")["stopped"]), ["alice", "bob"])
        self.assertEqual(self.json("down", "c")["stopped"], [])
        self.run_curia("up", "c", "--detach")
        self.assertEqual(self.json(*self.on("status"))["parties"][0]["epoch"], 2)


if __name__ == "__main__":
    unittest.main(verbosity=1)
