"""Metrics as JSON lines: a header object, one object a sample, then `{"event": ...}` objects.

A last line that was cut off (power loss, a copy that broke) is left out and
told in `warnings`; any other fault is an error with its line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from amptalk.history import about
from amptalk.history.document import (
    Column,
    MetricsDocument,
    check_names,
    number_or_none,
)
from amptalk.history.json_format import parse
from amptalk.model.errors import MetricsFileError


def write(document: MetricsDocument, path: Path) -> None:
    """Write the document to a new file."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(_lines(document))


def _lines(document: MetricsDocument) -> Iterator[str]:
    yield json.dumps({**document.about(), "columns": list(document.samples)}) + "\n"
    for row in zip(*document.samples.values(), strict=True):
        yield json.dumps(dict(zip(document.samples, row, strict=True)), allow_nan=False) + "\n"
    for event in document.events:
        yield json.dumps({"event": event}, allow_nan=False) + "\n"


def read(path: Path) -> MetricsDocument:
    """Read a file that `write` made, with its last line possibly cut off."""
    lines = path.read_bytes().split(b"\n")
    if lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise MetricsFileError(f"{path}: the file is empty; its first line must be the header")
    header = parse(f"{path}, line 1", lines[0])
    parts = about.checked(f"{path}, line 1", header)
    names = header.get("columns")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise MetricsFileError(f"{path}, line 1: 'columns' must be the list of column names")
    check_names(f"{path}, line 1", names)
    document = MetricsDocument(samples={name: [] for name in names}, **parts)
    for number, line in enumerate(lines[1:], 2):
        place = f"{path}, line {number}"
        try:
            item = parse(place, line)
        except MetricsFileError as error:
            if number < len(lines):
                raise
            document.warnings.append(f"left out the last line, which is cut off: {error}")
            break
        _take(document, place, item)
    return document


def _take(document: MetricsDocument, place: str, item: Any) -> None:
    if isinstance(item, dict) and isinstance(item.get("event"), dict):
        document.events.append(item["event"])
        return
    if not isinstance(item, dict) or item.keys() != document.samples.keys():
        raise MetricsFileError(
            f"{place}: neither a sample with the columns of the header nor an event"
        )
    row: dict[str, float | None] = {
        name: number_or_none(f"{place}, {name!r}", value) for name, value in item.items()
    }
    column: Column
    for name, column in document.samples.items():
        column.append(row[name])
