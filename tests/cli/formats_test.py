#!/usr/bin/env python3
"""CSV, NPY and Arrow files: as datasets of workers, put and fetched."""
import json
import pathlib
import shutil
import struct
import subprocess
import unittest

import support

FOREIGN = pathlib.Path(__file__).resolve().parent.parent / "store/foreign"
PEOPLE = "id,age,score,member\nann,30,0.5,true\n,-1,nan,false\n" \
    "zo\u00eb,77,-0.0,true\na name of more than twelve bytes,9007199254740993,inf,true\n"
TYPE = "table[4]{id:string,age:i64,score:f64,member:bool}"


def npy(descr, shape, data):
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data


MATRIX = npy("<f8", "(2, 2)", struct.pack("<4d", 1, 2, 3, 4.5))


class Datasets(support.CliTest):
    def init(self, **files):
        datasets = [part for name, file in files.items() for part in ("--dataset", f"alice/{name}={file}")]
        grants = [part for name in files for part in ("--grant", f"alice/{name}:dora")]
        self.run_curia("init", "c", "--parties", "alice,bob", "--driver", "dora", *datasets, *grants)

    def change(self, **dataset):
        path = self.folder / "c/alice/worker.json"
        config = json.loads(path.read_text())
        config["datasets"]["x"] = dataset
        path.write_text(json.dumps(config))

    def start(self):
        self.run_curia("up", "c", "--detach")
        self.addCleanup(subprocess.run, [support.CURIA, "down", "c"], cwd=self.folder, capture_output=True)

    def fetched(self, name, kind):
        program = self.write(f"{name}.json", {"name": name, "outputs": {name: "x"}, "ops": [
            {"op": "dataset", "at": "alice", "out": ["x"], "name": name, "type": kind + " @alice"}]})
        self.run_curia(*self.on("run", program, "--fetch", name, "--save", "out"))
        return next((self.folder / "out").glob(name + ".*")).read_bytes()

    def test_files_of_pandas_polars_and_numpy_are_datasets(self):
        (self.folder / "m.npy").write_bytes(MATRIX)
        self.write("t.csv", PEOPLE)
        self.init(pandas=FOREIGN / "pandas.feather", polars=FOREIGN / "polars.arrow", m="m.npy", t="t.csv")
        self.start()
        types = {d["name"]: d["type"] for d in self.json(*self.on("datasets", "alice"))["datasets"]}
        self.assertEqual(types["m"], "f64[2,2] @alice")
        for name in ("pandas", "polars", "t"):
            self.assertEqual(types[name], TYPE + " @alice")
            self.assertEqual(self.fetched(name, TYPE).decode(), PEOPLE)
        self.assertEqual(self.fetched("m", "f64[2,2]"), MATRIX)

    def test_columns_of_an_arrow_file_can_be_chosen(self):
        self.init(x=FOREIGN / "types.arrow")
        self.change(arrow="data/x.arrow", columns=["y:string", "x:i64"])
        self.start()
        self.assertEqual(self.fetched("x", "table[2]{y:string,x:i64}"), b"y,x\np,1\nq,2\n")

    def test_what_is_wrong_with_a_file_is_said_at_the_start(self):
        self.init(x=FOREIGN / "dtypes.arrow")
        data = self.folder / "c/alice/data"
        (data / "m.npy").write_bytes(MATRIX)
        (data / "short.npy").write_bytes(MATRIX[:-1])
        (data / "cut.arrow").write_bytes((FOREIGN / "pandas.feather").read_bytes()[:-20])
        for name in ("nulls.arrow", "types.arrow", "pandas.feather"):
            shutil.copy(FOREIGN / name, data)
        for dataset, expected in [
                ({}, "datasets.x.csv: expected one of csv, arrow and npy"),
                ({"csv": "data/x.csv", "arrow": "data/x.arrow"}, "datasets.x.arrow: a dataset is one file"),
                ({"npy": "data/m.npy", "columns": ["a:i64"]}, "datasets.x.columns: the tensor of an npy file"),
                ({"npy": "data/short.npy"}, "expected 32 bytes of data for f64[2,2], found 31"),
                ({"npy": "data/m.npy", "ranges": [1, 4]}, "beyond"),
                ({"npy": "data/x.arrow"}, "expected an npy file"),
                ({"arrow": "data/none.arrow"}, "none.arrow: cannot open"),
                ({"arrow": "data/m.npy"}, "expected an Arrow IPC file"),
                ({"arrow": "data/cut.arrow"}, "it does not end with ARROW1"),
                ({"arrow": "data/nulls.arrow"}, "column \"i\": found 2 nulls in 3 rows"),
                ({"arrow": "data/types.arrow"}, "column \"when\": found timestamp"),
                ({"arrow": "data/x.arrow", "columns": ["z:i64"]}, "expected a column \"z\""),
                ({"arrow": "data/pandas.feather", "ranges": {"age": [0, 99]}},
                 "column \"age\" holds cells beyond its declared range [0, 99]"),
                ({"arrow": "data/x.arrow", "ranges": {"utf8": [0, 1]}}, "datasets.x.ranges")]:
            self.change(**dataset)
            with self.subTest(dataset=dataset):
                done = subprocess.run([support.CURIA, "up", "c", "--detach"], capture_output=True, text=True,
                                      timeout=120, cwd=self.folder)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(expected, done.stderr)
                self.assertIn("alice", done.stderr)


class Objects(support.CliTest):
    def test_each_kind_of_file_is_put_and_fetched(self):
        self.up()
        (self.folder / "m.npy").write_bytes(MATRIX)
        self.write("people.csv", PEOPLE)
        shutil.copy(FOREIGN / "pandas.feather", self.folder)
        self.run_curia(*self.on(*self.within("session", "open", "--lease", "60")))
        for number, (first, second, back) in enumerate([
                ("people.csv", ".arrow", ".csv"), ("pandas.feather", ".csv", ".csv"),
                ("m.npy", ".arrow", ".npy"), ("m.npy", ".feather", ".npy")]):
            names = f"a{number}", f"b{number}"
            self.run_curia(*self.within("put", "bob", first, "--name", names[0]))
            self.run_curia(*self.within("fetch", names[0], "--save", names[0] + second))
            self.run_curia(*self.within("put", "bob", names[0] + second, "--name", names[1]))
            self.run_curia(*self.within("fetch", names[1], "--save", names[1] + back))
            self.assertEqual((self.folder / (names[1] + back)).read_bytes(),
                             MATRIX if first == "m.npy" else PEOPLE.encode())

    def test_a_value_without_such_a_file_and_a_file_without_a_value(self):
        self.up()
        (self.folder / "cube.npy").write_bytes(npy("|i1", "(1, 1, 1)", b"\1"))
        self.write("t.csv", "a\n1\n")
        self.write("t.json", "{}")
        self.run_curia(*self.on(*self.within("session", "open", "--lease", "60")))
        for name, file in (("cube", "cube.npy"), ("t", "t.csv")):
            self.run_curia(*self.within("put", "bob", file, "--name", name))
        for name, file, expected in (("cube", "new.csv", "at most two dimensions"), ("t", "new.npy", "holds no tables"),
                                     ("t", "new.json", "ends with .csv, .npy or .arrow"),
                                     ("t", "t.csv", "is not overwritten")):
            self.assertIn(expected, self.error(*self.within("fetch", name, "--save", file), code=2))
        self.assertEqual(list(self.folder.glob("new.*")), [])
        for file, expected, code in (("t.json", "ends with .csv, .npy or .arrow", 2),
                                     (str(FOREIGN / "nulls.arrow"), "2 nulls in 3 rows", 2),
                                     (str(FOREIGN / "types.arrow"), "found timestamp", 1)):
            self.assertIn(expected, self.error(*self.within("put", "bob", file, "--name", "no"), code=code))


if __name__ == "__main__":
    unittest.main(verbosity=1)
