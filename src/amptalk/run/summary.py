"""What is told at the end: peaks, time over limits, energy, what was done, whether it helped.

Pure but for what it is handed. What was not measured is said, not shown as 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan, nan
from typing import TYPE_CHECKING, Any, NamedTuple

from amptalk.run.banner import Line
from amptalk.run.program import Ended

if TYPE_CHECKING:
    from amptalk.limits.judge import Judge
    from amptalk.run.watching import Range, Watching

_NAMES = {
    "memory_used_mb": "memory", "cpu_percent": "CPU", "gpu_memory_mb": "GPU memory",
    "gpu_utilization": "GPU", "power_watts": "power", "temperature_celsius": "temperature",
}  # fmt: skip


class Summary(NamedTuple):
    """One run."""

    command: Sequence[str]
    ended: Ended
    seconds: float
    cpu_seconds: float
    """Of the program and all that it waited for."""
    lines: Sequence[Line]
    why: str
    """Why it ended, where that needs to be said."""
    starts: int = 1
    kills: float = 0.0
    """By the kernel, at the memory limit."""
    charged_mb: float = nan
    """The most that the kernel charged, file cache included."""
    resident_mb: float = nan
    """The largest resident set of a single process."""
    ranges: Mapping[str, Range] = {}
    over: Mapping[str, float] = {}
    """Seconds beyond each limit."""
    actions: Mapping[str, Mapping[str, Any]] = {}
    asked: Mapping[str, str] = {}
    joules: float = nan
    no_energy: str = "too short to be sampled"
    notes: Sequence[str] = ()


def seen(summary: Summary, watching: Watching | None) -> Summary:
    """A summary with what the engine has seen."""
    if watching is None or watching.sample is None:
        return summary
    joules, why = watching.energy()
    acting = watching.acting
    told = watching.effectiveness.summary({})
    return summary._replace(
        ranges=watching.ranges(), over=time_over(watching.judge),
        actions=told["actions"], joules=joules, no_energy=why,
        asked={name: acting.told(name) for name in sorted(acting.askable)
               if acting.asking.of(name).times},
    )  # fmt: skip


def time_over(judge: Judge) -> dict[str, float]:
    """Seconds beyond each limit; of a rate only what lasted for two samples.

    One reading of it swings, also beyond a limit that the kernel holds.
    """
    seconds = judge.seconds_over
    for resource in judge.resources:
        if resource.kind == "rate":
            seconds[resource.name] = sum(
                (violation.seconds_over for violation in judge.violations
                 if violation.resource == resource.name), 0.0,
            )  # fmt: skip
    return seconds


def text_of(summary: Summary) -> list[str]:
    """Lines for people."""
    lines = [summary.why] if summary.why else []
    busy = summary.cpu_seconds / summary.seconds if summary.seconds > 0 else 0.0
    status = summary.ended.shell_status
    lines.append(
        f"exit status {status} after {summary.seconds:.1f} s, CPU {summary.cpu_seconds:.2f} s "
        f"({busy:.2f} cores)" + (f", started {summary.starts} times" if summary.starts > 1 else "")
    )
    peaks = [
        f"{_NAMES[name]} {one.peak:.4g} {one.unit} (mean {one.mean:.4g})"
        for name, one in summary.ranges.items() if name in _NAMES
    ]  # fmt: skip
    if not isnan(summary.charged_mb):
        peaks.append(f"charged by the kernel, with file cache, {summary.charged_mb:.0f} MB")
    if not peaks:
        peaks.append(f"largest process {summary.resident_mb:.0f} MB; too short to be sampled")
    lines.append("peaks: " + ", ".join(peaks))
    lines += [f"over the limit: {name} for {seconds:.1f} s"
              for name, seconds in summary.over.items() if seconds > 0]  # fmt: skip
    lines += [f"{name}: {asked}" for name, asked in summary.asked.items()]
    lines += [f"{name}: {_verdicts(verdicts)}" for name, verdicts in summary.actions.items()
              if not name.startswith("ask_for_")]  # fmt: skip
    if summary.kills > 0:
        lines.append(f"killed by the kernel at the memory limit: {summary.kills:.0f}")
    if not isnan(summary.joules):
        lines.append(f"energy of the device meanwhile: {summary.joules:.4g} J")
    return [*lines, *summary.notes]


def plain_of(summary: Summary) -> dict[str, Any]:
    """The same for programs; what is not known is null."""
    return {
        "command": list(summary.command),
        "exit_status": summary.ended.shell_status,
        "signal": summary.ended.status if summary.ended.killed else None,
        "explanation": summary.why or None,
        "seconds": round(summary.seconds, 3),
        "cpu_seconds": round(summary.cpu_seconds, 3),
        "starts": summary.starts,
        "limits": [line._asdict() for line in summary.lines],
        "peaks": {name: {"mean": _known(one.mean), "peak": _known(one.peak), "unit": one.unit}
                  for name, one in summary.ranges.items()},
        "charged_mb": _known(summary.charged_mb),
        "largest_process_mb": _known(summary.resident_mb),
        "seconds_over": {name: round(value, 3) for name, value in summary.over.items()},
        "kernel_kills": _known(summary.kills),
        "joules": _known(summary.joules),
        "no_energy_because": summary.no_energy or None,
        "asked": dict(summary.asked),
        "actions": {name: dict(verdicts) for name, verdicts in summary.actions.items()},
        "notes": list(summary.notes),
    }  # fmt: skip


def _verdicts(verdicts: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{count} {verdict}" if verdict != "freed" else f"{count:g} given back"
        for verdict, count in verdicts.items()
    )


def _known(value: float) -> float | None:
    return None if isnan(value) else round(value, 3)
