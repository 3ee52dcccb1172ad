"""When it pays to hold work back before it is sure that a limit would be crossed.

An explicit rule of expected costs, in seconds of full work: reducing for nothing loses work,
waiting risks a breach. What a breach costs an application is not measured anywhere, so the
figures are chosen, and chosen here only.
"""

from __future__ import annotations

from amptalk.model.resource import Kind

BREACH_COST: dict[Kind, float] = {"rate": 10.0, "temperature": 30.0, "hold": 60.0}
"""A breach counts as much as so many seconds of full work: a processor that is too busy is
late, a hot device is throttled for half a minute, one without memory loses a process."""
IN_FORCE: dict[Kind, float] = {"rate": 10.0, "temperature": 60.0, "hold": 60.0}
"""Seconds for which a cut made for nothing is in force, until feedback has taken it back."""
STAYING = 0.5
"""Once acted upon, an expectation is let go at this part of the probability it took."""


def break_even(cut: float, kind: Kind) -> float:
    """Probability (0-1) of a breach at which a cut of the work by the share `cut` just pays.

    There, probability · cost of a breach = (1 - probability) · work lost by a false alarm.
    """
    false_alarm = cut * IN_FORCE[kind]
    return false_alarm / (false_alarm + BREACH_COST[kind])
