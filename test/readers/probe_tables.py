"""Asks for rows by the value of a column: what the statistics rule out must not be there. Prints a line a table, and `passed failed` last."""

import os
import sys

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import DeltaTable

passed = failed = 0
for path in sys.argv[1:]:
    table = DeltaTable(path)
    whole = table.to_pyarrow_table()
    dataset = table.to_pyarrow_dataset()
    asked, wrong = 0, []
    for name in whole.schema.names:
        column = whole[name]
        if pa.types.is_floating(column.type):
            # JSON has no NaN and no infinity, so such bounds are missing; this reader takes a missing bound for one that no value meets
            continue
        for value in pc.unique(column.drop_null()).slice(0, 25):
            for compare in (pc.equal, pc.less_equal, pc.greater_equal):
                expected = pc.sum(compare(column, value)).as_py() or 0
                found = dataset.to_table(columns=[name], filter=compare(ds.field(name), value)).num_rows
                asked += 1
                if found != expected:
                    wrong.append(f"{name} {compare.__name__} {value}: {found} of {expected}")
    if wrong:
        failed += 1
    else:
        passed += 1
    print(f"{'FAIL' if wrong else 'ok  '} deltalake asks {path.rsplit('/', 1)[1]} {asked} times{': ' + '; '.join(wrong[:5]) if wrong else ''}")
print(passed, failed)

# the reader's threads sometimes abort at an orderly exit
sys.stdout.flush()
os._exit(0)
