#!/usr/bin/env python3
"""Reads what a worker stores with pyarrow, and with pandas, Polars and DuckDB where they are."""
import math
import pathlib
import subprocess
import sys
import tempfile

try:
    import pyarrow
    import pyarrow.ipc
except ImportError:
    print("SKIPPED: pyarrow is not installed; `pip install pyarrow pandas polars duckdb` to run this test")
    sys.exit(77)


def library(name):
    try:
        return __import__(name)
    except ImportError:
        print(f"skipped: {name} is not installed")
        return None


def table(path):
    with pyarrow.memory_map(str(path)) as source:
        return pyarrow.ipc.open_file(source).read_all()


def values(column):
    kind = column.type
    if isinstance(kind, pyarrow.BaseExtensionType):
        column = column.combine_chunks()
        column = column.chunk(0).storage if isinstance(column, pyarrow.ChunkedArray) else column.storage
    return column.to_pylist()


def check_pyarrow(objects):
    read = {path.name: table(path) for path in objects.iterdir() if path.is_file()}
    for name, content in read.items():
        content.validate(full=True)
        metadata = content.schema.metadata
        assert metadata[b"curia.label"] == b"{alice/patients}", (name, metadata)
        assert metadata[b"curia.version"] == b"1"
        assert b"@alice" in metadata[b"curia.type"]
    only = {name: values(content["value"]) for name, content in read.items() if "value" in content.column_names}
    assert only["scalar"] == [2.5]
    assert only["vector"] == [1, 2, 3, -4]
    assert only["empty"] == [] and only["no_rows"] == []
    assert only["no_columns"] == [[]] * 4
    nan = only["nan"]
    assert math.isnan(nan[0]) and nan[1] == 1 and math.isnan(nan[2])
    assert only["bool_scalar"] == [1] and only["bools"] == [1, 0, 1]
    assert only["bool_matrix"] == [[1, 0], [0, 1]]

    for name, row, whole in (("matrix", [3], [[1, 2, 3], [4, 5, 6]]),
                             ("cube", [2, 2], [[[1, 2], [3, 4]], [[5, 6], [7, 255]]])):
        column = read[name]["value"]
        assert isinstance(column.type, pyarrow.FixedShapeTensorType), column.type
        assert list(column.type.shape) == row
        assert column.combine_chunks().to_numpy_ndarray().tolist() == whole
    if hasattr(pyarrow, "bool8"):
        assert read["bools"]["value"].type == pyarrow.bool8()
        assert read["table"]["member"].type == pyarrow.bool8()

    content = read["table"]
    assert content["id"].type == pyarrow.large_string()
    assert content["id"].to_pylist() == ["ann", "", "zo\u00eb"]
    assert content["age"].to_pylist() == [30, -1, 77]
    assert values(content["member"]) == [1, 0, 1]
    assert content["score"].to_pylist() == [0.5, math.inf, -0.0]
    assert read["table_no_rows"].num_rows == 0 and read["table_no_rows"].num_columns == 2
    assert read["error"].num_columns == 0
    assert read["share"].column_names == ["first", "second"]


def check_aligned(objects):
    for path in objects.iterdir():
        if not path.is_file():
            continue
        with pyarrow.memory_map(str(path)) as source:
            begin = source.read_buffer(0).address
            for chunk in [c for column in table(path).columns for c in column.chunks]:
                storage = chunk.storage if isinstance(chunk, pyarrow.ExtensionArray) else chunk
                for buffer in storage.buffers():
                    if buffer is not None and buffer.size > 0:
                        assert buffer.address % 64 == 0, (path, buffer.address - begin)


def check_others(objects):
    if library("pandas"):
        frame = table(objects / "table").to_pandas()
        assert list(frame["age"]) == [30, -1, 77] and list(frame["id"]) == ["ann", "", "zo\u00eb"]
    polars = library("polars")
    if polars:
        frame = polars.read_ipc(objects / "table")
        assert frame["age"].to_list() == [30, -1, 77] and frame["id"].to_list()[0] == "ann"
        assert polars.read_ipc(objects / "vector")["value"].to_list() == [1, 2, 3, -4]
        assert polars.read_ipc(objects / "matrix").height == 2
    duckdb = library("duckdb")
    if duckdb:
        content = table(objects / "table")  # noqa: F841, named in the query
        assert duckdb.sql("select sum(age) from content where id <> ''").fetchall() == [(107,)]


def check_exports(exports):
    """Files that people get: read by what they use, with its own calls."""
    whole = table(exports / "table.arrow")
    whole.validate(full=True)
    assert whole.schema.metadata == {b"curia.type": b"table[3]{id:string,age:i64,member:bool,score:f32}"}
    assert whole["member"].type == pyarrow.bool_() and whole["member"].to_pylist() == [True, False, True]
    assert table(exports / "bools.arrow")["value"].to_pylist() == [True, False, True]
    for path in exports.glob("*.arrow"):
        table(path).validate(full=True)
    ids, ages, scores = ["ann", "", "zo\u00eb"], [30, -1, 77], [0.5, math.inf, -0.0]
    pandas = library("pandas")
    if pandas:
        frame = pandas.read_feather(exports / "table.arrow")
        assert [str(kind) for kind in frame.dtypes[1:]] == ["int64", "bool", "float32"], frame.dtypes
        assert list(frame["id"]) == ids and list(frame["age"]) == ages and list(frame["score"]) == scores
        assert list(frame["member"]) == [True, False, True]
        text = pandas.read_csv(exports / "table.csv", keep_default_na=False)
        assert list(text["id"]) == ids and list(text["age"]) == ages and list(text["score"]) == scores
        assert str(text["member"].dtype) == "bool" and list(text["member"]) == [True, False, True]
        assert list(pandas.read_csv(exports / "table_no_rows.csv").columns) == ["id", "x"]
        assert [list(row) for row in pandas.read_feather(exports / "matrix.arrow")["value"]] == [[1, 2, 3], [4, 5, 6]]
    polars = library("polars")
    if polars:
        frame = polars.read_ipc(exports / "table.arrow")
        assert frame.schema == {"id": polars.String, "age": polars.Int64, "member": polars.Boolean, "score": polars.Float32}
        assert frame["id"].to_list() == ids and frame["score"].to_list() == scores
        text = polars.read_csv(exports / "table.csv")
        assert [one or "" for one in text["id"].to_list()] == ids and text["age"].to_list() == ages
        assert text["member"].to_list() == [True, False, True] and text["score"].to_list() == scores
        assert polars.read_ipc(exports / "vector.arrow")["value"].to_list() == [1, 2, 3, -4]
    numpy = library("numpy")
    if numpy:
        read = {path.stem: numpy.load(path) for path in exports.glob("*.npy")}
        assert read["scalar"].shape == () and read["scalar"] == 2.5
        assert read["cube"].dtype == numpy.uint8 and read["cube"].tolist() == [[[1, 2], [3, 4]], [[5, 6], [7, 255]]]
        assert read["bool_matrix"].dtype == bool and read["bool_matrix"].tolist() == [[True, False], [False, True]]
        assert read["no_columns"].shape == (4, 0) and numpy.isnan(read["nan"][[0, 2]]).all()


with tempfile.TemporaryDirectory() as folder:
    subprocess.run([sys.argv[1], folder], check=True)
    stored = pathlib.Path(folder) / "objects"
    check_pyarrow(stored)
    check_aligned(stored)
    check_others(stored)
    check_exports(pathlib.Path(folder) / "exports")
    print("read with pyarrow", pyarrow.__version__)
