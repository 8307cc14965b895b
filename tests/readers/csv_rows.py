"""The cells of a CSV file as Python's own reader has them, a JSON list a line."""
import csv
import json
import sys

csv.field_size_limit(1 << 30)
with open(sys.argv[1], newline="", encoding="utf-8") as file:
    for row in csv.reader(file, strict=True):
        print(json.dumps(row))
