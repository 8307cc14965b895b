"""A parquet file as DuckDB has it: its columns with their types, then a JSON list for each row. Times are nanoseconds."""
import json
import sys

import duckdb

connection = duckdb.connect()
source = "read_parquet(?)"
columns = connection.execute(f"DESCRIBE SELECT * FROM {source}", [sys.argv[1]]).fetchall()
print(json.dumps([[column[0], column[1]] for column in columns]))


def shown(name, kind):
    quoted = '"' + name.replace('"', '""') + '"'
    return f"epoch_ns({quoted})" if kind.startswith("TIMESTAMP") else quoted


wanted = ", ".join(shown(column[0], column[1]) for column in columns)
rows = connection.execute(f"SELECT {wanted} FROM {source}", [sys.argv[1]])
while row := rows.fetchone():
    print(json.dumps(row))
