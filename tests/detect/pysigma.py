"""Rules and their events, by pySigma: pysigma.py RULES EVENTS

Reads every rule of the folder RULES, converts it for SQLite, and asks it about the event files of EVENTS: prints a line
`NAME positive COUNT` and `NAME negative COUNT` for each. Any error of a rule ends it.
"""

import json
import re
import sqlite3
import sys
from pathlib import Path

from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection
from sigma.correlations import SigmaCorrelationRule


def flat(value, path, into):
    """The fields of a record as columns; of a list its first element, all the way down."""
    if isinstance(value, dict):
        for key, inner in value.items():
            flat(inner, f"{path}.{key}" if path else key, into)
    elif isinstance(value, list):
        if value:
            flat(value[0], path, into)
    elif value is not None:
        into[path] = value


def table(file, columns):
    """A database with the records of a file."""
    rows = []
    for line in file.read_text().splitlines():
        record = json.loads(line)
        row = {}
        flat(record["data"], "data", row)
        row |= {"event": record["event"], "run": record["run"], "timestamp": record["time"]}
        rows.append(row)
    columns = sorted(set(columns) | {name for row in rows for name in row})
    database = sqlite3.connect(":memory:")
    database.create_function("regexp", 2, lambda pattern, text: text is not None and bool(re.search(pattern, str(text))))
    database.execute(f"CREATE TABLE logs ({', '.join(f'`{name}`' for name in columns)})")
    for row in rows:
        marks = ", ".join("?" for _ in row)
        names = ", ".join(f"`{name}`" for name in row)
        database.execute(f"INSERT INTO logs ({names}) VALUES ({marks})", list(row.values()))
    return database


def main():
    rules, events = Path(sys.argv[1]), Path(sys.argv[2])
    collection = SigmaCollection.load_ruleset([rules])
    wrong = [error for rule in collection.rules for error in rule.errors]
    if wrong:
        sys.exit(f"pySigma refuses: {wrong}")
    columns = {match for file in rules.glob("*.yml") for match in re.findall(r"data\.[a-z0-9_.]+", file.read_text())}
    silent = {
        reference.rule.name
        for rule in collection.rules
        if isinstance(rule, SigmaCorrelationRule) and not rule.generate
        for reference in rule.rules
    }
    backend = sqliteBackend()
    backend.convert(collection)
    for rule in collection.rules:
        if rule.name in silent:
            continue
        for kind in ("positive", "negative"):
            database = table(events / f"{rule.name}.{kind}.jsonl", columns)
            found = sum(len(database.execute(query).fetchall()) for query in rule.get_conversion_result())
            print(rule.name, kind, found)


main()
