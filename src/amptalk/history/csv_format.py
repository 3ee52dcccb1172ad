"""Metrics as CSV: a header row with the column names, one row a sample, empty for missing.

Spreadsheets and `pandas.read_csv` read it as it is, so there are no comment
lines: units, host, configuration, events and effectiveness are only in the
other formats. Numbers are written so that reading gives the same ones again.
"""

from __future__ import annotations

import csv
from pathlib import Path

from amptalk.history.document import (
    UNITS,
    Column,
    MetricsDocument,
    check_names,
    number_or_none,
)
from amptalk.model.errors import MetricsFileError


def write(document: MetricsDocument, path: Path) -> None:
    """Write the document's samples to a new file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(document.samples)
        writer.writerows(zip(*document.samples.values(), strict=True))


def read(path: Path) -> MetricsDocument:
    """Read the samples of a file; the units are those of the known columns."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            names = next(reader, [])
            check_names(f"{path}, line 1", names)
            columns: list[Column] = [[] for _ in names]
            for row in reader:
                place = f"{path}, line {reader.line_num}"
                if len(row) != len(names):
                    raise MetricsFileError(
                        f"{place}: {len(row)} values for {len(names)} columns; "
                        "the file is damaged or cut short"
                    )
                for name, column, text in zip(names, columns, row, strict=True):
                    column.append(_number(f"{place}, {name!r}", text))
        except UnicodeDecodeError as error:
            raise MetricsFileError(f"{path}: byte {error.start} is no UTF-8 text") from None
        except csv.Error as error:
            raise MetricsFileError(f"{path}, line {reader.line_num}: {error}") from None
    return MetricsDocument(
        samples=dict(zip(names, columns, strict=True)),
        units={name: UNITS[name] for name in names if name in UNITS},
    )


def _number(place: str, text: str) -> float | None:
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        raise MetricsFileError(f"{place}: {text[:80]!r} is not a number") from None
    return number_or_none(place, number)
