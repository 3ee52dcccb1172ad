"""The text of `amptalk doctor`: groups, at most 100 columns, commands that can be copied.

A command is broken only where the shell goes on by itself, after `&&` and `|`.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from math import isnan

from amptalk import __version__
from amptalk.cli.doctor_needs import Asked
from amptalk.cli.doctor_view import LimitRow, View, origin_of, unit_text
from amptalk.model.sample import Sample
from amptalk.sensors.capacity import Capacity
from amptalk.sensors.diagnosis.causes import Finding
from amptalk.sensors.diagnosis.diagnose import ABSENT, ASLEEP, FIXABLE, WORKS, Diagnosis
from amptalk.sensors.diagnosis.machine import Machine

WIDTH = 100
NAME = 24
_BEFORE_UNIT = re.compile(r"(?<=\d) (?=MB|%|W\b|°C|cores|µs|MHz|J\b)")


def whole(seen: View, wanted: tuple[Asked, ...]) -> str:
    """Everything: what works, what is missing, limits, and what was asked for."""
    groups = {state: [one for one in seen.sensors if one.state == state] for state in _HEADINGS}
    lines = [*_machine(seen.machine), *_capacity(seen.capacity)]
    for state, heading in _HEADINGS.items():
        if groups[state]:
            lines += ["", heading, *_sensors(groups[state], seen.sample)]
    lines += ["", f"LIMITS, scope {seen.scope}"]
    for row in seen.limits:
        lines += _limit(row)
    lines += ["", "A manager with all six limits, before anything is registered, says at start:"]
    for notice in seen.notices:
        lines += _wrapped("  - ", notice)
    lines += _answers(wanted)
    return "\n".join(lines) + "\n"


_HEADINGS = {
    WORKS: "WORKS",
    ASLEEP: "ASLEEP (has values as soon as it is used)",
    FIXABLE: "MISSING, CAN BE ENABLED",
    ABSENT: "NOT AVAILABLE HERE",
}


def answer(seen: View, wanted: tuple[Asked, ...]) -> str:
    """Only what was asked for."""
    rows: dict[str, Diagnosis] = {}
    for one in wanted:
        rows.update((f"{row.report.name} {row.report.gives}", row) for row in one.rows)
    names = {one.name for one in wanted}
    lines = _sensors(rows.values(), seen.sample)
    for limit in seen.limits:
        if limit.name in names:
            lines += _limit(limit)
    return "\n".join([*lines, *_answers(wanted)]) + "\n"


def _answers(wanted: tuple[Asked, ...]) -> list[str]:
    if not wanted:
        return []
    lines = ["", "ASKED FOR"]
    for one in wanted:
        lines += _row(one.name, "works" if one.works else "missing")
        if not one.works and not one.rows:
            lines += _findings(one.findings)
    return lines


def _machine(machine: Machine) -> list[str]:
    system = f"{machine.system} {machine.kernel}".strip()
    what = ", ".join(filter(None, (machine.model, machine.distribution, system)))
    where = []
    if machine.container:
        where.append(f"in a container ({machine.container})")
    if machine.virtual:
        where.append(f"on a virtual machine ({machine.virtual})")
    place = " ".join(where) or "not in a container, not on a virtual machine"
    lines = [f"amptalk {__version__}", *_row("machine", what, indent=0), *_row("", place)]
    if machine.user.root:
        text = (
            "root, who may read everything: run it again as the user of the application, who may "
            "lack rights"
        )
        lines += _row("user", text, indent=0)
    else:
        lines += _row("user", machine.user.name, indent=0)
    return lines


def _capacity(capacity: Capacity) -> list[str]:
    cores = f"{capacity.cpu_cores:g} cores ({capacity.cpu_reason})"
    memory = "unknown" if isnan(capacity.memory_mb) else f"{capacity.memory_mb:.0f} MB"
    return _row("capacity", f"{cores}, {memory} ({capacity.memory_reason})", indent=0)


def _sensors(rows: Iterable[Diagnosis], sample: Sample) -> list[str]:
    """Rows, those that lack a value for the same reasons as one."""
    lines: list[str] = []
    names: list[str] = []
    last: Diagnosis | None = None
    for one in rows:
        report = one.report
        if report.missing:
            if last is not None and last.findings == one.findings:
                names.append(report.name)
                continue
            lines += _missing(names, last)
            names, last = [report.name], one
            continue
        lines += _row(report.name, report.value)
        lines += _row("", f"{_origin(one, sample)}{report.source}{_cost(report.cost_us)}")
        lines += _findings(one.findings)
    return lines + _missing(names, last)


def _cost(microseconds: float) -> str:
    """Words for what reading a sensor takes; none where it was not measured."""
    if microseconds <= 0.0:
        return ""
    return f", {microseconds:.0f} µs" if microseconds >= 1.0 else ", under 1 µs"


def _origin(one: Diagnosis, sample: Sample) -> str:
    """How the value came about and what it covers, where that is not the file alone."""
    origin = origin_of(one, sample)
    if origin is None or origin.source in one.report.source:
        return ""
    return f"{origin.method}, {origin.source}; "


def _missing(names: list[str], one: Diagnosis | None) -> list[str]:
    if one is None:
        return []
    lines = [f"  {name}" for name in names[:-1]]
    first, *rest = one.findings
    lines += _row(names[-1], _told(first))
    return [*lines, *_command(first.remedy), *_findings(rest)]


def _findings(findings: Iterable[Finding]) -> list[str]:
    lines: list[str] = []
    for one in findings:
        lines += [*_row("", _told(one)), *_command(one.remedy)]
    return lines


def _told(one: Finding) -> str:
    source = f"{one.source}: " if one.source else ""
    return f"{source}{one.cause.value}: {one.reason}"


def _limit(row: LimitRow) -> list[str]:
    if row.state == WORKS:
        lines = _row(row.name, f"seen: {unit_text(row.value, row.resource.unit)} now, {row.field}")
        lines += _row("", f"from {row.source}")
    else:
        lines = _row(row.name, f"{'asleep' if row.state == ASLEEP else 'not seen'}: {row.field}")
        lines += _findings(row.findings[:1])
    lines += _row("", f"held by: {_levers(row)}")
    if row.kernel is not None:
        lines += _row("", f"kernel: {row.kernel.text}")
        lines += _command(row.kernel.remedy)
    return lines


def _levers(row: LimitRow) -> str:
    if not row.held_by:
        return "nothing, since it cannot be seen"
    if len(row.held_by) == 1:
        return "admission alone, by the amounts that your application states"
    own = [name for name in row.held_by if name != "trim"]
    text = f"your application's {', '.join(own[:-1])} or {own[-1]}"
    return text + ("; trim acts by itself" if "trim" in row.held_by else "")


def _row(name: str, text: str, indent: int = 2) -> list[str]:
    """A name and its text beside it, wrapped."""
    start = " " * indent + name
    return _wrapped(start.ljust(NAME + 2), text) or [start]


def _wrapped(mark: str, text: str) -> list[str]:
    """Lines of text behind a mark; a number and its unit stay together, long paths do not."""
    lines = textwrap.wrap(
        _BEFORE_UNIT.sub("\u00a0", text), WIDTH, initial_indent=mark,
        subsequent_indent=" " * len(mark), break_on_hyphens=False,
    )  # fmt: skip
    return [line.replace("\u00a0", " ") for line in lines]


def _command(text: str) -> list[str]:
    """A command under its row; it goes on in the next line only after `&&` and `|`."""
    if not text:
        return []
    pieces = text.replace(" && ", " &&\0").replace(" | ", " |\0").split("\0")
    lines, line = [], "    → "
    for piece in pieces:
        if len(line) + len(piece) > WIDTH and line.strip() != "→":
            lines.append(line.rstrip())
            line = "      "
        line += piece + " "
    return [*lines, line.rstrip()]
