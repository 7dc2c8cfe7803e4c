"""Rules and their events, by pySigma: pysigma.py RULES EVENTS [MAP]

Reads every rule of the folder RULES, converts it for SQLite, and asks it about the event files of EVENTS: prints a line
`NAME positive COUNT` and `NAME negative COUNT` for each. Any error of a rule ends it. With a MAP, the lines of EVENTS are
objects with the `time` of an event and its `text` as it was exported.
"""

import json
import re
import sqlite3
import sys
from pathlib import Path

from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection
from sigma.correlations import SigmaCorrelationRule
from sigma.processing.pipeline import ProcessingPipeline


# What follows the name of a list: Splunk names its elements so.
LIST = "{}" if sys.argv[3:] and sys.argv[3].endswith("splunk.yml") else ""


def flat(value, path, into):
    """The fields of a record as columns; of a list its first element, all the way down."""
    if isinstance(value, dict):
        for key, inner in value.items():
            flat(inner, f"{path}.{key}" if path else key, into)
    elif isinstance(value, list):
        if value:
            flat(value[0], path + LIST, into)
    elif value is not None:
        into[path] = value


def cef(text):
    """The fields of a line of CEF."""
    parts = re.split(r"(?<!\\)\|", text, maxsplit=7)
    keys = list(re.finditer(r"(?:^| )([A-Za-z0-9]+)=", parts[7]))
    ends = [key.start() for key in keys[1:]] + [len(parts[7])]
    fields = {key.group(1): parts[7][key.end():end] for key, end in zip(keys, ends)}
    numbers = {key: int(value) for key, value in fields.items() if re.fullmatch(r"\d{1,18}", value)}
    return fields | numbers | {"deviceEventClassId": parts[4]}


def exported(line):
    """A row of what was exported: JSON of any form, or CEF."""
    event = json.loads(line)
    row = {}
    if event["text"].startswith("CEF:"):
        row = cef(event["text"])
    else:
        flat(json.loads(event["text"]), "", row)
        row = {name.removeprefix("."): value for name, value in row.items()}
    return row | {"timestamp": event["time"]}


def own(line):
    """A row of a record of ours."""
    record = json.loads(line)
    row = {}
    flat(record["data"], "data", row)
    return row | {"event": record["event"], "run": record["run"], "timestamp": record["time"]}


def table(file, columns, row_of):
    """A database with the events of a file. Names of columns are alike to SQLite when only the case differs."""
    rows = [row_of(line) for line in file.read_text().splitlines()]
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
    pipeline = ProcessingPipeline.from_yaml(Path(sys.argv[3]).read_text()) if len(sys.argv) > 3 else None
    collection = SigmaCollection.load_ruleset([rules])
    wrong = [error for rule in collection.rules for error in rule.errors]
    if wrong:
        sys.exit(f"pySigma refuses: {wrong}")
    columns = {match for file in rules.glob("*.yml") for match in re.findall(r"data\.[a-z0-9_.]+", file.read_text())}
    for file in [Path(argument) for argument in sys.argv[3:]]:
        names = re.findall(r"^ +(?:- |[a-z0-9_.]+: )\"?([A-Za-z0-9_.{}]+)\"?$", file.read_text(), re.M)
        columns |= set(names)
    silent = {
        reference.rule.name
        for rule in collection.rules
        if isinstance(rule, SigmaCorrelationRule) and not rule.generate
        for reference in rule.rules
    }
    backend = sqliteBackend(pipeline)
    backend.convert(collection)
    for rule in collection.rules:
        if rule.name in silent:
            continue
        for kind in ("positive", "negative"):
            database = table(events / f"{rule.name}.{kind}.jsonl", columns, exported if pipeline else own)
            found = sum(len(database.execute(query).fetchall()) for query in rule.get_conversion_result())
            print(rule.name, kind, found)


main()
