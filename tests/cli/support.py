"""What the tests of the command line share: a folder, and `curia` as a process."""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

CURIA = os.environ["CURIA"]
WORKER = os.environ["CURIA_WORKER"]
TOTAL = {
    "name": "total",
    "ops": [
        {"op": "dataset", "at": "alice", "out": ["x"], "name": "x", "type": "table[3]{v:i64,w:f64} @alice"},
        {"op": "column", "at": "alice", "in": ["x"], "out": ["v"], "name": "v"},
        {"op": "sum", "at": "alice", "in": ["v"], "out": ["s"]},
        {"op": "transfer", "at": "bob", "in": ["s"], "out": ["t"], "label": "sums"},
    ],
    "outputs": {"total": "t", "rows": "x"},
}
TWICE = {
    "name": "twice",
    "inputs": [{"name": "a", "type": "i64[] @bob"}],
    "ops": [{"op": "add", "at": "bob", "in": ["a", "a"], "out": ["b"]}],
    "outputs": {"twice": "b"},
}
# Long enough that nobody waits for its end.
ENDLESS = {
    "name": "endless",
    "ops": [
        {"op": "iota", "at": "alice", "out": ["n"], "count": 100000},
        {"op": "for", "at": "alice", "in": ["n"], "out": ["m"], "carried": 1, "count": 9000000,
         "body": {"params": [{"name": "p", "type": "i64[100000] @alice"}],
                  "ops": [{"op": "add", "at": "alice", "in": ["p", "p"], "out": ["q"]}], "results": ["q"]}},
    ],
    "outputs": {"m": "m"},
}


class CliTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="curia-cli-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.cluster = str(self.folder / "c/dora.json")
        self.session = str(self.folder / "s.json")

    def write(self, name, content):
        path = self.folder / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)

    def run_curia(self, *arguments, code=0, env=None):
        done = subprocess.run([CURIA, *arguments], capture_output=True, text=True, timeout=120,
                              cwd=self.folder, env={**os.environ, **(env or {})})
        self.assertEqual(done.returncode, code, f"curia {' '.join(arguments)}\n{done.stdout}{done.stderr}")
        return done

    def out(self, *arguments, **options):
        return self.run_curia(*arguments, **options).stdout

    def json(self, *arguments, **options):
        return json.loads(self.out("--json", *arguments, **options))

    def error(self, *arguments, code):
        return self.run_curia(*arguments, code=code).stderr

    def init(self, *arguments):
        self.write("x.csv", "v,w\n1,0.5\n2,1.5\n3,nan\n")
        digest = self.out("digest", self.write("total.json", TOTAL)).strip()
        self.run_curia("init", "c", "--parties", "alice,bob", "--driver", "dora", "--dataset", "alice/x=x.csv",
                       "--grant", f"alice/x:bob:{digest}:sums", "--grant", f"alice/x:dora:{digest}:total",
                       *arguments)

    def up(self):
        self.init()
        self.run_curia("up", "c", "--detach")
        self.addCleanup(subprocess.run, [CURIA, "down", "c"], cwd=self.folder, capture_output=True)

    def on(self, *arguments):
        return ["--cluster", self.cluster, *arguments]

    def within(self, *arguments):
        return ["--session", self.session, *arguments]
