#!/usr/bin/env python3
"""Makes the files of this folder with pandas, pyarrow and Polars: make.py FOLDER.

The tests hold what is in them (tests/store/arrow_file_test.cc). They are kept, since what these
programs write changes with their versions: pandas 3.1.1, pyarrow 26.0.1, Polars 2.1.0."""
import datetime
import decimal
import pathlib
import sys

import numpy
import pandas
import polars
import pyarrow
import pyarrow.feather
import pyarrow.ipc

folder = pathlib.Path(sys.argv[1])
people = {
    "id": ["ann", "", "zo\u00eb", "a name of more than twelve bytes"],
    "age": numpy.array([30, -1, 77, 2**53 + 1], dtype=numpy.int64),
    "score": numpy.array([0.5, numpy.nan, -0.0, numpy.inf], dtype=numpy.float64),
    "member": [True, False, True, True],
}
frame = pandas.DataFrame(people)


def write(name, table, chunk=None, **options):
    with pyarrow.ipc.new_file(str(folder / name), table.schema, options=pyarrow.ipc.IpcWriteOptions(**options)) as out:
        out.write_table(table, max_chunksize=chunk)


# What to_feather() writes when it is told nothing: LZ4, and NaN as a null.
frame.to_feather(folder / "pandas.feather")
frame.to_feather(folder / "pandas_plain.feather", compression="uncompressed")
frame.to_feather(folder / "pandas_zstd.feather", compression="zstd")
pyarrow.feather.write_feather(pyarrow.table({"x": numpy.repeat(numpy.arange(40), 1000)}), str(folder / "lz4_long.feather"),
                              compression="lz4", chunksize=25000)
write("pandas_index.arrow", pyarrow.Table.from_pandas(frame.set_index("id")[["age"]]))
write("pandas_unnamed_index.arrow", pyarrow.Table.from_pandas(frame[["age"]].set_axis([5, 6, 7, 9])))
write("pandas_category.arrow", pyarrow.Table.from_pandas(pandas.DataFrame({"c": pandas.Categorical(["b", "a", "b"])})))
polars.DataFrame(people).write_ipc(folder / "polars.arrow")
polars.DataFrame(people).write_ipc(folder / "polars_old.arrow", compat_level=polars.CompatLevel.oldest())
polars.DataFrame({"e": polars.Series(["x", "y", "x"], dtype=polars.Enum(["y", "x"]))}).write_ipc(folder / "polars_enum.arrow")

dtypes = {f"{kind}{bits}": pyarrow.array([1, 2, (1 << (bits - (kind == "int"))) - 1], getattr(pyarrow, f"{kind}{bits}")())
          for kind in ("int", "uint") for bits in (8, 16, 32, 64)}
dtypes["float32"] = pyarrow.array([0.1, -0.0, float("inf")], pyarrow.float32())
dtypes["float64"] = pyarrow.array([0.1, 5e-324, float("nan")], pyarrow.float64())
dtypes["bool"] = pyarrow.array([True, False, True])
dtypes["utf8"] = pyarrow.array(["a", "", "\u65e5\u672c"], pyarrow.utf8())
dtypes["large_utf8"] = pyarrow.array(["a", "", "\u65e5\u672c"], pyarrow.large_utf8())
dtypes["utf8_view"] = pyarrow.array(["a", "", "thirteen byte"], pyarrow.string_view())
write("dtypes.arrow", pyarrow.table(dtypes))
write("batches.arrow", pyarrow.table({"n": pyarrow.array(range(23), pyarrow.int32()),
                                      "b": pyarrow.array([i % 3 == 0 for i in range(23)]),
                                      "s": [str(i) for i in range(23)]}), chunk=9)
# A slice: the bitmap begins amid a byte, the offsets beyond zero.
write("sliced.arrow", pyarrow.table({"b": [i % 3 == 0 for i in range(23)], "s": [str(i) for i in range(23)]}).slice(11, 5))
write("aligned_to_8.arrow", pyarrow.table({"a": pyarrow.array([1], pyarrow.int8()), "x": [1.5]}))
write("v4.arrow", pyarrow.table({"x": [1, 2]}), metadata_version=pyarrow.ipc.MetadataVersion.V4, use_legacy_format=True)
write("no_rows.arrow", pyarrow.table({"x": pyarrow.array([], pyarrow.int64()), "s": pyarrow.array([], pyarrow.utf8())}))
write("no_batches.arrow", pyarrow.table({"x": pyarrow.chunked_array([], pyarrow.int64())}))
delta = pyarrow.ipc.IpcWriteOptions(emit_dictionary_deltas=True)
first = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0, 1], pyarrow.uint8()), ["x", "y"])
second = pyarrow.DictionaryArray.from_arrays(pyarrow.array([2, 0], pyarrow.uint8()), ["x", "y", "z"])
schema = pyarrow.schema([("d", first.type)])
with pyarrow.ipc.new_file(str(folder / "dictionary_delta.arrow"), schema, options=delta) as out:
    for words in (first, second):
        out.write_batch(pyarrow.record_batch([words], schema=schema))

# What is refused, but for the columns beside it.
write("nulls.arrow", pyarrow.table({"i": [1, None, None], "s": ["a", None, "b"], "b": [True, False, None],
                                    "f": pyarrow.array([1.5, None, 2.5], pyarrow.float32())}))
day = datetime.datetime(2026, 1, 2)
write("types.arrow", pyarrow.table({
    "x": [1, 2], "when": [day, day], "list": [[1], [2, 3]], "deep": [[{"a": [1]}], []], "price": [decimal.Decimal("1.5")] * 2,
    "half": pyarrow.array(numpy.array([1, 2], dtype=numpy.float16)), "raw": [b"a", b"b"], "none": [None, None],
    "numbers": pyarrow.array([7, 9]).dictionary_encode(), "pair": pyarrow.array([[1, 2], [3, 4]], pyarrow.list_(pyarrow.int8(), 2)),
    "either": pyarrow.UnionArray.from_dense(pyarrow.array([0, 1], pyarrow.int8()), pyarrow.array([0, 0], pyarrow.int32()),
                                            [pyarrow.array([1]), pyarrow.array(["a"])]),
    "runs": pyarrow.RunEndEncodedArray.from_arrays(pyarrow.array([2], pyarrow.int32()), [5]),
    "view": pyarrow.array([b"a", b"more than twelve"], pyarrow.binary_view()), "y": ["p", "q"]}))
deep = pyarrow.int8()
for _ in range(100):
    deep = pyarrow.list_(deep)
write("deep.arrow", pyarrow.table({"deep": pyarrow.array([], deep)}))
with pyarrow.ipc.new_stream(str(folder / "stream.arrows"), schema) as out:
    out.write_batch(pyarrow.record_batch([first], schema=schema))
