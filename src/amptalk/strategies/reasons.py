"""What is expected of a limit, when and why, in words an operator can act on."""

from __future__ import annotations

import math

from amptalk.model.level import LimitState
from amptalk.strategies.prospects import Prospect


def about(prospect: Prospect, extra: float, *, acting: bool) -> tuple[object, ...] | None:
    """What the words would be about; while it stays the same they need not be said again.

    A time is another one when it has halved or doubled; `None` when there is nothing to say.
    """
    if not (prospect.cause or extra):
        return None
    seconds, when = prospect.seconds, 0
    if seconds < math.inf and prospect.cause not in ("over", "chance"):
        when = round(math.log2(max(1.0, seconds)))
    return (prospect.cause, acting, when, f"{extra:.2g}")


def words(prospect: Prospect, state: LimitState, extra: float, *, acting: bool) -> str:
    """The expectation and what follows from it."""
    expected = _expected(prospect, state, extra)
    if not acting:
        return f"{expected}; nothing is held back for it yet"
    unit, name = state.resource.unit, state.resource.name
    if not extra:
        return f"{expected}; work is held back for it"
    text = f"{expected}; {extra:.4g} {unit} of {name} set aside for known work"
    if extra > state.limit:
        text += f", which alone exceeds the limit by {extra - state.limit:.4g} {unit}"
    return text


def _expected(prospect: Prospect, state: LimitState, extra: float) -> str:
    name, unit, cause = state.resource.name, state.resource.unit, prospect.cause
    limit = f"{state.limit:.4g} {unit}"
    chance = f"probability {prospect.probability:.0%}"
    within = f"within {_time(prospect.within)}"
    if cause == "over":
        return f"{name} is over {limit}"
    when = "now" if prospect.seconds < 0.5 else f"in {_time(prospect.seconds)}"
    if cause == "known":
        return f"{name} reaches {prospect.value:.4g} of {limit} {when} by known work ({chance})"
    if cause == "growth":
        return f"{name} reaches {limit} {when} at {prospect.slope:+.3g} {unit}/s"
    if cause == "warming":
        return f"{name} reaches {limit} {when} if the load stays as it is"
    if cause == "chance":
        return f"{name} may cross {limit} {within} ({chance})"
    return f"{extra:.4g} {unit} of known work on {name} fits {limit} (breach: {chance})"


def _time(seconds: float) -> str:
    if seconds < 120.0:
        return f"{seconds:.0f} s"
    if seconds < 7200.0:
        return f"{seconds / 60.0:.0f} min"
    return f"{seconds / 3600.0:.1f} h"
