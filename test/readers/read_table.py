"""Prints each table that is named as `ReadTable.java` does: one JSON array of texts a row."""

import json
import struct
import os
import sys

import pyarrow as pa
from deltalake import DeltaTable

DOUBLE = struct.Struct(">d")


def cells(column: pa.ChunkedArray) -> list:
    kind = column.type
    if pa.types.is_timestamp(kind):
        if kind.unit != "us" or kind.tz != "UTC":
            raise SystemExit(f"an instant is read as {kind}")
        return [None if v is None else str(v) for v in column.cast(pa.int64()).to_pylist()]
    if pa.types.is_date32(kind):
        return [None if v is None else str(v) for v in column.cast(pa.int32()).to_pylist()]
    if pa.types.is_float64(kind):
        return [None if v is None else format(int.from_bytes(DOUBLE.pack(v), "big"), "x") for v in column.to_pylist()]
    if pa.types.is_boolean(kind):
        return [None if v is None else str(v).lower() for v in column.to_pylist()]
    if pa.types.is_int64(kind):
        return [None if v is None else str(v) for v in column.to_pylist()]
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return column.to_pylist()
    raise SystemExit(f"a column of type {kind}")


for path in sys.argv[1:]:
    print("# " + path)
    table = DeltaTable(path)
    data = pa.table(table.to_pyarrow_table()) if hasattr(table, "to_pyarrow_table") else table.to_pyarrow()
    print("@ " + ",".join(data.schema.names))
    for row in zip(*(cells(column) for column in data.columns)):
        print(json.dumps(row, separators=(",", ":")))

# the reader's threads sometimes abort at an orderly exit
sys.stdout.flush()
os._exit(0)
