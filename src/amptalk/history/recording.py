"""Reading a recorder's file, while it is written, after a crash or much later."""

from __future__ import annotations

import os
from pathlib import Path

from amptalk.history.document import Column, MetricsDocument, finite
from amptalk.history.ringfile import (
    EVENT_BYTES,
    EVENT_SLOTS,
    EVENTS_AT,
    PAGE,
    PAGES_AT,
    Page,
    read_page,
)
from amptalk.history.ringhead import Header, read_event, read_header, read_signals
from amptalk.model.errors import MetricsFileError
from amptalk.model.views import ScopeView


def read_recording(path: str | os.PathLike[str]) -> MetricsDocument:
    """Read everything that a recording holds, oldest first; rows of all runs (`session`).

    Values have the recording's resolution: 1/256 MB, 0.01 %, 1 mW, 0.01 °C. A torn
    last row or a damaged page is left out and told in `warnings`. Raises
    `MetricsFileError` when the file cannot be read or is no recording.
    """
    place = os.fspath(path)
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise MetricsFileError(f"cannot read {place}: {error.strerror}") from error
    header = read_header(place, content[:PAGE], len(content))
    pages, warnings = _pages(content, header)
    signals = read_signals(content)
    if signals is None:
        warnings.append("the names of the signals are damaged, so their values are left out")
    units = {**dict(zip(header.fields, header.units, strict=True)), **dict(signals or ())}
    return MetricsDocument(
        samples=_columns(pages, tuple(units)),
        units={"time": "s", "monotonic": "s", **units},
        host=header.host,
        config={"monitoring_interval": header.interval},
        events=_events(content),
        warnings=warnings,
    )


def _pages(content: bytes, header: Header) -> tuple[list[Page], list[str]]:
    pages, warnings = [], []
    for index in range(header.pages):
        block = content[PAGES_AT + index * PAGE : PAGES_AT + (index + 1) * PAGE]
        page = read_page(block, header.resolutions)
        if page is None:
            if any(block):
                warnings.append(f"page {index} is damaged and left out")
            continue
        pages.append(page)
        if page.torn:
            warnings.append(f"page {index}: what follows row {len(page.rows)} is torn and left out")
    return sorted(pages, key=lambda page: page.number), warnings


def _columns(pages: list[Page], names: tuple[str, ...]) -> dict[str, Column]:
    rows = [row for page in pages for row in page.rows]
    samples: dict[str, Column] = {
        "time": [row.time for row in rows],
        "monotonic": [row.monotonic for row in rows],
        "session": [float(page.session) for page in pages for _ in page.rows],
    }
    for position, name in enumerate(names):
        column = finite(row.values[position] for row in rows)
        if name in ScopeView._fields or any(value is not None for value in column):
            samples[name] = column
    return samples


def _events(content: bytes) -> list[dict[str, object]]:
    slots = (
        content[EVENTS_AT + i * EVENT_BYTES : EVENTS_AT + (i + 1) * EVENT_BYTES]
        for i in range(EVENT_SLOTS)
    )
    found = [event for slot in slots if (event := read_event(slot))]
    return [event for _, event in sorted(found, key=lambda item: item[0])]
