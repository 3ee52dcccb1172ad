"""`amptalk replay`: run the library on a recorded device, and tell what it makes of it."""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from typing import TYPE_CHECKING, Any

from amptalk.cli.watch import as_plain, known_values
from amptalk.config import SCOPES
from amptalk.limits.limits import ResourceLimits

if TYPE_CHECKING:
    from amptalk.sensors.recorded.format import About
    from amptalk.simulation.replay import Moment, Replay, Summary
    from amptalk.simulation.warned import Warned

_LIMITS = ResourceLimits._fields


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this verb's flags."""
    parser.add_argument("folder", metavar="DIR", help="a folder that `amptalk record` made")
    parser.add_argument("--scope", default="device", choices=SCOPES)
    parser.add_argument(
        "--real-time", action="store_true", help="at the pace of the recording (default: at once)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--strategy", default="dynamic", metavar="S")
    for name in _LIMITS:
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, metavar="X")


def run(options: argparse.Namespace) -> int:
    """Print each sample with what changed, and a summary at the end."""
    from amptalk.simulation.replay import Replay

    limits = ResourceLimits(**{name: getattr(options, name) for name in _LIMITS})
    with Replay(
        options.folder, limits=limits, strategy=options.strategy, scope=options.scope,
        pace=time.sleep if options.real_time else None,
    ) as replay:  # fmt: skip
        (_as_json if options.json else _as_text)(replay)
    return 0


def _as_json(replay: Replay) -> None:
    write = sys.stdout.write
    write(_line({"recording": replay.about._asdict()}))
    for moment in replay:
        sample = {**as_plain(moment.tick.sample), "missing": dict(moment.missing)}
        write(
            _line(
                {
                    "seconds": moment.seconds,
                    "sample": sample,
                    "throttling": moment.throttling._asdict(),
                    "limits": {
                        state.resource.name: {"level": state.level.label, "value": state.value}
                        for state in moment.tick.limits
                    },
                    "allocations": [one._asdict() for one in moment.tick.decision.allocations],
                    "events": moment.events,
                    "warnings": moment.warnings,
                }
            )
        )
        sys.stdout.flush()
    summary = replay.summary()
    violations = [violation.as_dict() for violation in summary.violations]
    whole = {**summary._asdict(), "violations": violations}
    whole["ranges"] = {name: one._asdict() for name, one in summary.ranges.items()}
    write(_line({"summary": whole}))


def _line(value: Any) -> str:
    return json.dumps(_finite(value), allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    """The same with null for every number that is none or has no bound."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return _finite(value._asdict())
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, (list, tuple)) else value


def _as_text(replay: Replay) -> None:
    write = sys.stdout.write
    write(_heading(replay.about))
    slower: tuple[str, ...] = ()
    for moment in replay:
        write(f"{moment.seconds:8.1f} s  {known_values(moment.tick.sample)}\n")
        for event in moment.events:
            write(f"{'':12s}{_event(event)}\n")
        for warned in moment.warnings:
            write(f"{'':12s}{_warning(warned)}\n")
        if moment.throttling.reasons != slower:
            slower = moment.throttling.reasons
            write(f"{'':12s}{_throttling(moment, replay.about.started)}\n")
        sys.stdout.flush()
    write(_summary(replay.summary(), replay.about))


def _heading(about: About) -> str:
    made_up = "MADE UP, not recorded on a device: " if about.made_up else ""
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(about.started))
    text = f"{made_up}{about.device or 'a device without a model name'}, {about.machine}, "
    text += f"Linux {about.kernel}, {when}, every {about.interval:g} s\n"
    return text + (f"{about.note}\n" if about.note else "")


def _event(event: dict[str, Any]) -> str:
    kind, name = event["kind"], event.get("resource", "")
    if kind == "level":
        text = f"{event['value']:.1f} of {event['limit']:g} {event['unit']}"
        return f"{name} {event['was']} → {event['level']} at {text}"
    if kind == "violation":
        return (
            f"violation: {name} over {event['limit']:g} {event['unit']}, "
            f"peak {event['peak']:.1f} {event['unit']}"
        )
    if kind == "allocation":
        return f"{name} allocation {event['was']:.0%} → {event['share']:.0%}: {event['reason']}"
    return ", ".join(f"{key} {value}" for key, value in event.items() if key != "time")


def _warning(warned: Warned) -> str:
    soon = f" in {warned.seconds:.0f} s" if math.isfinite(warned.seconds) else ""
    return (
        f"warning: {warned.resource} {warned.measured:.1f} of {warned.limit:g} {warned.unit}, "
        f"{warned.expected:.1f} {warned.unit} expected: over its limit{soon} with a probability "
        f"of {warned.probability:.0%}"
    )


def _throttling(moment: Moment, started: float) -> str:
    verdict = moment.throttling
    if not verdict.reasons or verdict.since is None:
        return "no longer slower than it could be"
    return f"slower since {verdict.since - started:.1f} s: {'; '.join(verdict.reasons)}"


def _summary(summary: Summary, about: About) -> str:
    lines = [f"\n{summary.samples} samples in {summary.seconds:.1f} s\n"]
    lines.append(f"{'':36s}{'least':>10s}{'mean':>10s}{'most':>10s}  samples")
    for name, one in summary.ranges.items():
        if "." in name:
            values = f"{one.minimum:10.1f}{one.mean:10.1f}{one.maximum:10.1f}"
            lines.append(f"  {name:34s}{values}  {one.samples}")
    energy = f"{summary.joules:.0f} J" if not math.isnan(summary.joules) else "unknown"
    lines.append(f"energy: {energy} ({summary.energy_source})")
    for cause, (first, last) in summary.slower.items():
        lines.append(f"slower: {cause}, seen from {first:.1f} s to {last:.1f} s")
    if not summary.slower:
        lines.append("slower: never seen")
    lines += [f"cannot be seen: {cause}" for cause in summary.unknown]
    lines += _missing(summary)
    if summary.effectiveness["limits"]:
        lines.append("values are as recorded: they do not react to what is held back on paper")
    lines += [f"at {warned.at:.1f} s {_warning(warned)}" for warned in summary.warnings]
    for violation in summary.violations:
        lines.append(
            f"violation: {violation.resource} over {violation.limit:g} {violation.unit} from "
            f"{violation.started - about.started:.1f} s for {violation.seconds_over:.1f} s, "
            f"peak {violation.peak:.1f} {violation.unit}"
        )
    for name, one in summary.effectiveness["limits"].items():
        lines.append(
            f"{summary.effectiveness['strategy']}: {name} over its limit for "
            f"{one['seconds_over']:.1f} s, work held back {one['work_reduced_seconds']:.1f} s"
        )
        lines += _expectations(name, one)
    return "\n".join(lines) + "\n"


def _expectations(name: str, outcome: dict[str, Any]) -> list[str]:
    """Whether what the strategy expected came, where it expected anything."""
    told = outcome["breaches_warned"] + outcome["warnings_false"] + outcome["warnings_acted_on"]
    lines = []
    if told:
        lead = outcome["lead_seconds"]
        before = "" if lead is None else f", {lead:.0f} s before (median)"
        lines.append(
            f"  {name}: warned of {outcome['breaches_warned']} of {outcome['breaches']} breaches"
            f"{before}; warnings: {outcome['warnings_false']} false, "
            f"{outcome['warnings_acted_on']} acted on"
        )
    forecast = outcome["forecast"]
    if forecast is not None and forecast["coverage_soon"] is not None:
        parts = [f"the 90 % interval held {forecast['coverage_soon']:.0%} one step ahead"]
        if forecast["coverage_late"] is not None:
            parts.append(f"{forecast['coverage_late']:.0%} at the horizon")
        if forecast["error_ratio_late"] is not None:
            parts.append(f"error there {forecast['error_ratio_late']:.2f} of the last value's")
        lines.append(f"  {name}: of {forecast['forecasts']} forecasts {', '.join(parts)}")
    return lines


def _missing(summary: Summary) -> list[str]:
    """One line a reason, with the fields that lacked a value for it."""
    by_reason: dict[tuple[str, int], list[str]] = {}
    for field, reasons in summary.missing.items():
        if "." in field:  # the short names copy these
            for reason, count in reasons.items():
                by_reason.setdefault((reason, count), []).append(field)
    lines = []
    for (reason, count), fields in by_reason.items():
        often = "" if count == summary.samples else f" in {count} of {summary.samples} samples"
        shown = f"{fields[0]} and {len(fields) - 1} more" if len(fields) > 2 else ", ".join(fields)
        lines.append(f"missing{often}: {shown}: {reason}")
    return lines
