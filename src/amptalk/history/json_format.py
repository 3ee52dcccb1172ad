"""Metrics as one strict JSON object (`docs/metrics.schema.json`); `null` for a missing value.

Written in slices, because encoding a day in one call would hold the
interpreter (and so the application) for 0.3 s.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from amptalk.history import about
from amptalk.history.document import (
    Column,
    MetricsDocument,
    check_columns,
    number_or_none,
)
from amptalk.model.errors import MetricsFileError

_VALUES, _EVENTS = 1000, 10
"""Values and events encoded at once, below 1 ms each."""


def write(document: MetricsDocument, path: Path) -> None:
    """Write the document to a new file."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(_pieces(document))


def _pieces(document: MetricsDocument) -> Iterator[str]:
    yield "{\n"
    for name, part in document.about().items():
        yield f"{_text(name)}: {_text(part)},\n"
    yield '"samples": {'
    lead = "\n"
    for name, column in document.samples.items():
        yield f"{lead}{_text(name)}: "
        yield from _sliced(column, _VALUES)
        lead = ",\n"
    yield '},\n"events": '
    yield from _sliced(document.events, _EVENTS)
    yield "}\n"


def _text(value: object) -> str:
    return json.dumps(value, allow_nan=False)


def _sliced(items: Sequence[object], size: int) -> Iterator[str]:
    yield "["
    for start in range(0, len(items), size):
        yield (",\n" if start else "") + _text(items[start : start + size])[1:-1]
    yield "]"


def read(path: Path) -> MetricsDocument:
    """Read a file that `write` made, or another that follows the schema."""
    raw = parse(str(path), path.read_bytes())
    parts = about.checked(str(path), raw)
    return MetricsDocument(samples=_columns(str(path), raw.get("samples")), **parts)


def parse(place: str, content: bytes) -> Any:
    """Parse strict JSON, or raise `MetricsFileError` with the place of the fault."""
    try:
        return json.loads(content.decode("utf-8"), parse_constant=_refuse)
    except UnicodeDecodeError as error:
        raise MetricsFileError(
            f"{place}: byte {error.start} is no UTF-8 text; this is not JSON"
        ) from None
    except json.JSONDecodeError as error:
        raise MetricsFileError(
            f"{place}, line {error.lineno}, column {error.colno}: {error.msg}; "
            "the file is damaged or cut short"
        ) from None
    except (ValueError, RecursionError) as error:
        raise MetricsFileError(f"{place}: not readable as JSON: {error}") from None


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON; a missing value is null")


def _columns(place: str, raw: object) -> dict[str, Column]:
    if not isinstance(raw, dict) or not all(isinstance(c, list) for c in raw.values()):
        raise MetricsFileError(f"{place}: 'samples' must map each column's name to a list")
    samples = {
        name: [number_or_none(f"{place}, samples[{name!r}][{i}]", v) for i, v in enumerate(column)]
        for name, column in raw.items()
    }
    check_columns(place, samples)
    return samples
