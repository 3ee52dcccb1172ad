"""How the demonstration is shown: a panel that stays in place on a terminal, plain lines otherwise.

Covers text only. The figures come from the manager's samples, events and knobs,
as any application could read them.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

from amptalk.demo.load import Work
from amptalk.model.resource import BUILT_IN

if TYPE_CHECKING:
    from amptalk.demo.arms import ArmResult
    from amptalk.demo.load import ModelServer
    from amptalk.manager import ResourceManager
    from amptalk.model.level import LimitState

BAR = 24
EVENT_LINES = 8


class Screen:
    """Shows one manager as it runs; `arm` starts a new one."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._live = self._out.isatty()
        self._drawn = 0
        self._events_seen = 0
        self._newest: list[str] = []
        self._begun = math.nan

    def say(self, text: str = "") -> None:
        """Print a line that stays."""
        self._out.write(text + "\n")
        self._out.flush()

    def arm(self, title: str) -> None:
        """Begin a new run under `title`."""
        self._drawn = 0
        self._events_seen = 0
        self._newest = []
        self._begun = math.nan
        self.say(f"\n{title}")

    def show(self, manager: ResourceManager, server: ModelServer | None = None) -> None:
        """Show the latest sample, and what happened since the last call."""
        sample = manager.get_current_metrics()
        if math.isnan(self._begun):
            self._begun = sample.monotonic
        seconds = sample.monotonic - self._begun
        fresh = manager.history.events_since(self._events_seen)
        self._events_seen = manager.history.events_noted
        told = [text for event in merged(fresh) if (text := describe(event)) is not None]
        if self._live:
            self._newest = (self._newest + told)[-EVENT_LINES:]
            self._redraw(manager, server, seconds)
            return
        parts = [f"{seconds:5.1f} s"]
        parts += [f"{s.resource.name} {_amount(s)}" for s in manager.limit_states]
        if not manager.limit_states:
            parts += [f"memory {sample.memory_used_mb:.0f} MB", f"cpu {sample.cpu_percent:.0f} %"]
        parts.append(f"level {manager.level.label}")
        if server is not None:
            parts.append(f"batch {server.batch.value:.0f}  cache {server.cache.value:.0f} MB")
            parts.append(f"done {server.work.total}")
        self.say("  ".join(parts))
        for text in told:
            self.say(f"        {text}")

    def _redraw(self, manager: ResourceManager, server: ModelServer | None, seconds: float) -> None:
        lines = [f"{seconds:6.1f} s   level {manager.level.label}"]
        for state in manager.limit_states:
            share = 0.0 if math.isnan(state.value) else min(1.5, state.value / state.limit)
            filled = round(share / 1.5 * BAR)
            mark = round(BAR / 1.5)
            bar = "".join("█" if at < filled else ("│" if at == mark else "·") for at in range(BAR))
            lines.append(f"  {state.resource.name:12s} {bar} {_amount(state)}")
        if not manager.limit_states:
            sample = manager.get_current_metrics()
            lines.append(
                f"  memory {sample.memory_used_mb:8.1f} MB  cpu {sample.cpu_percent:5.1f} %"
            )
        if server is not None:
            work = server.work
            lines.append(
                f"  batch {server.batch.value:.0f}   cache {server.cache.value:.0f} MB   done: "
                f"{work.images} images, {work.utterances} utterances, {work.summaries} summaries"
            )
        lines += [f"  {text}" for text in self._newest]
        up = f"\x1b[{self._drawn}A" if self._drawn else ""
        self._out.write(up + "".join(f"\x1b[2K{line[:119]}\n" for line in lines))
        self._out.flush()
        self._drawn = len(lines)


def _amount(state: LimitState) -> str:
    if math.isnan(state.value):
        return f"missing (limit {state.limit:.0f} {state.resource.unit})"
    beyond = " OVER" if state.over else ""
    return f"{state.value:.0f} of {state.limit:.0f} {state.resource.unit}{beyond}"


def merged(events: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Events with the moves of one allocation since the last line told as one move."""
    kept: list[dict[str, Any]] = []
    moves: dict[str, dict[str, Any]] = {}
    for event in events:
        if event["kind"] != "allocation":
            kept.append(event)
            continue
        move = moves.get(event["resource"])
        if move is None:
            move = moves[event["resource"]] = dict(event)
            kept.append(move)
        move.update(share=event["share"], reason=event["reason"])
    return [event for event in kept if event.get("share", -1) != event.get("was")]


def describe(event: dict[str, Any]) -> str | None:
    """One event as a sentence, `None` for those that a reader does not need."""
    kind = event["kind"]
    if kind == "level":
        return (
            f"{event['resource']} {event['was']} → {event['level']} at "
            f"{event['value']:.0f} of {event['limit']:.0f} {event['unit']}"
        )
    if kind == "violation":
        return (
            f"violation: {event['resource']} over {event['limit']:.0f} {event['unit']}, "
            f"peak {event['peak']:.0f} {event['unit']}"
        )
    if kind == "allocation":
        return (
            f"{event['resource']} allocation {event['was']:.0%} → {event['share']:.0%}: "
            f"{event['reason']}"
        )
    if kind == "action":
        change = event["before"] - event["after"]
        told = (
            event["detail"] if math.isnan(change) else f"{change:+.0f} {event['unit']} given back"
        )
        return f"{event['action']}: {event['verdict']} ({told})"
    return event["text"] if kind == "notice" else None


def comparison(without: ArmResult, with_handling: ArmResult) -> str:
    """Both arms side by side, as a table of text."""
    arms = (without, with_handling)
    rows = [("", *(arm.title for arm in arms))]
    rows += [
        (f"time over the {name} limit",
         *(f"{arm.seconds_over[name]:.1f} s of {arm.seconds:.0f}" for arm in arms))
        for name in with_handling.seconds_over
    ]  # fmt: skip
    rows += [
        (f"peak {name}", *(f"{arm.peak[name]:.0f} {unit}" for arm in arms))
        for name, unit in ((name, BUILT_IN[name].unit) for name in with_handling.peak)
    ]
    rows.append(("violations", *(str(arm.violations) for arm in arms)))
    rows += [(name, *(str(getattr(arm.work, name)) for arm in arms)) for name in Work._fields]
    rows.append(("units of work", *(str(arm.work.total) for arm in arms)))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        f"  {row[0]:<{widths[0]}}   {row[1]:>{widths[1]}}   {row[2]:>{widths[2]}}" for row in rows
    )
