"""Appends to a table, merges small files and removes rows, as a writer that we did not write."""

import os
import sys

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

path = sys.argv[1]
schema = pa.schema([("id", pa.string()), ("n", pa.int64())])
write_deltalake(path, pa.table({"id": ["theirs", "id 5"], "n": [-1, None]}, schema=schema), mode="append")
table = DeltaTable(path)
table.delete("id = 'id 7'")
table.optimize.compact()
table.create_checkpoint()

# the reader's threads sometimes abort at an orderly exit
sys.stdout.flush()
os._exit(0)
