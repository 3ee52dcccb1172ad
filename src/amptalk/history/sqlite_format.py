"""Metrics as an SQLite database with the tables `meta`, `samples` and `events`.

`meta` has a row for each part of the document (key, JSON), `samples` a column
for each series, `events` kind, time and the whole event as JSON. The journal is
in memory: the file is new and put in place only when it is complete, and nothing
is left beside it.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from amptalk.history import about
from amptalk.history.document import (
    Column,
    MetricsDocument,
    check_columns,
    number_or_none,
)
from amptalk.history.json_format import parse
from amptalk.model.errors import MetricsFileError

_MAGIC = b"SQLite format 3\x00"


def write(document: MetricsDocument, path: Path) -> None:
    """Write the document to a new file."""
    names = ", ".join(f"{_quoted(name)} REAL" for name in document.samples)
    marks = ", ".join("?" * len(document.samples))
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA journal_mode = MEMORY")
        database.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
        database.execute(f"CREATE TABLE samples ({names})")
        database.execute("CREATE TABLE events (kind TEXT, time REAL, event TEXT NOT NULL)")
        database.executemany(
            "INSERT INTO meta VALUES (?, ?)",
            ((key, json.dumps(part)) for key, part in document.about().items()),
        )
        database.executemany(
            f"INSERT INTO samples VALUES ({marks})",  # noqa: S608 - marks only
            zip(*document.samples.values(), strict=True),
        )
        database.executemany(
            "INSERT INTO events VALUES (?, ?, ?)",
            (
                (_text(event.get("kind")), _real(event.get("time")), json.dumps(event))
                for event in document.events
            ),
        )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _real(value: object) -> float | None:
    return value if isinstance(value, float) else None


def read(path: Path) -> MetricsDocument:
    """Read a database that `write` made."""
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise MetricsFileError(f"{path}: this is no SQLite database")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            return _document(str(path), database)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise MetricsFileError(f"{path}: the database cannot be read: {error}") from None


def _document(place: str, database: sqlite3.Connection) -> MetricsDocument:
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
    absent = {"meta", "samples", "events"} - tables
    if absent:
        raise MetricsFileError(
            f"{place}: the database has no table {', '.join(sorted(absent))}, "
            "so it is no metrics file of AMPTALK"
        )
    raw = {
        str(key): parse(f"{place}, meta {key!r}", str(value).encode())
        for key, value in database.execute("SELECT key, value FROM meta")
    }
    raw["events"] = [
        parse(f"{place}, events row {row}", str(event).encode())
        for row, event in database.execute("SELECT rowid, event FROM events ORDER BY rowid")
    ]
    cursor = database.execute("SELECT * FROM samples ORDER BY rowid")
    names = [column[0] for column in cursor.description]
    columns: list[Column] = [[] for _ in names]
    for row, values in enumerate(cursor, 1):
        for name, column, value in zip(names, columns, values, strict=True):
            column.append(number_or_none(f"{place}, samples row {row}, {name!r}", value))
    samples = dict(zip(names, columns, strict=True))
    check_columns(place, samples)
    return MetricsDocument(samples=samples, **about.checked(place, raw))
