"""Which limits and reservations a user should set, by what was used. Pure.

A limit is recommended so high that 99 of 100 ten-second peaks are of level normal under it (the
lines are those of `thresholds`): in what was seen, it would have stayed quiet. A reservation, what
a component should be granted at least, is what it did not exceed in nine tenths of the time.
Recent use counts more (`usage`). What was never seen, such as a load of next month, no histogram
knows: confidence says how much was seen at all.
"""

from __future__ import annotations

from typing import NamedTuple

from amptalk.limits.thresholds import thresholds_for
from amptalk.limits.usage import Usage
from amptalk.model.resource import CPU, GPU_MEMORY, MEMORY, Resource

PEAKS, MEANS = 99.0, 90.0
"""Percent of the peaks that stay quiet under a limit, and of the means within a reservation."""
LEAST_SECONDS = 600.0
"""Nothing is recommended before so much was seen."""
_HELD_BACK = 0.01
"""Part of the time in which work held back is worth a remark."""
_RESERVED = frozenset((MEMORY.name, CPU.name, GPU_MEMORY.name))
"""What components ask for."""


class Recommendation(NamedTuple):
    """What should be set for one resource, and why."""

    resource: str
    argument: str
    """How a user sets the limit: `max_memory_mb`, or of a signal `limit` or `minimum`."""
    unit: str
    limit: float | None
    """`None` when none can be recommended; the reason says why."""
    reservation: float | None
    """The minimum for a component; `None` where nothing is reserved or too little was seen."""
    present: float | None
    """The limit that is set now."""
    observed_seconds: float
    """How long the resource had values."""
    confidence: float
    """0-1: how much was seen of what would count if it had been watched for ever; a day of
    watching gives 0.5, three days 0.88."""
    reason: str


class Circumstances(NamedTuple):
    """What else bears on a recommendation."""

    argument: str
    present: float | None
    most: float
    """More cannot be had, in the resource's unit: what the machine has, 100 %; `inf` unknown."""
    held_back_seconds: float
    """Seconds of full work that were held back by allocation."""


def recommend(resource: Resource, usage: Usage, now: float, about: Circumstances) -> Recommendation:
    """Say what should be set for a resource, by what it used until monotonic `now`."""
    seen = usage.observed_seconds
    limit: float | None = None
    reservation: float | None = None
    if seen < LEAST_SECONDS:
        reason = f"watched for {_time(seen)}: {_time(LEAST_SECONDS)} are needed at least"
    else:
        # A bucket's edge may lie beyond what there is.
        peak = min(about.most, usage.peak(PEAKS, lowest=resource.minimum))
        limit, reason = _limit(resource, peak, about.most)
        if resource.name in _RESERVED:
            reservation = _rounded(min(about.most, usage.mean(MEANS)))
            reason += f"; {_amount(reservation, resource)} were enough {MEANS:g} % of the time"
        if about.held_back_seconds > _HELD_BACK * seen:
            reason += (
                f"; {_time(about.held_back_seconds)} of work were held back meanwhile, so without "
                "the present limit it may be more"
            )
    return Recommendation(
        resource.name, about.argument, resource.unit, limit, reservation, about.present, seen,
        usage.filled(now), reason,
    )  # fmt: skip


def quiet_limit(resource: Resource, peak: float) -> float:
    """The limit under which a value of `peak` is just of level normal."""
    elevated = thresholds_for(resource).enter[0]
    if resource.kind == "temperature":
        return peak - elevated
    return peak * elevated if resource.minimum else peak / elevated


def _limit(resource: Resource, peak: float, most: float) -> tuple[float | None, str]:
    beyond = "at or above" if resource.minimum else "up to"
    seen = f"{PEAKS:g} % of the ten-second peaks were {beyond} {_amount(peak, resource)}"
    limit = quiet_limit(resource, peak)
    if limit >= most:
        return None, (
            f"{seen}; to stay quiet the limit would have to be {_amount(limit, resource)} of the "
            f"{_amount(most, resource)} there are: a lower one holds work back"
        )
    if not limit > 0.0:
        return None, f"{seen}, which leaves nothing to limit"
    return _rounded(limit), seen


def _rounded(value: float) -> float:
    """Three digits: more are not known."""
    return float(f"{value:.3g}")


def _amount(value: float, resource: Resource) -> str:
    return f"{value:.3g}" if resource.unit == "1" else f"{_rounded(value):g} {resource.unit}"


def _time(seconds: float) -> str:
    for size, unit in ((86400.0, "days"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2.0 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.0f} s"
