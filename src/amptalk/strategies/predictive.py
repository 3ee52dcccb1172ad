"""Strategy `predictive`: the same control, fed with what will be instead of what is.

Two things tell what will be: a forecast of each limited value, and announced work,
whose demand is set aside from the limit before it begins. Forecasting itself is in
`forecast`.
"""

from __future__ import annotations

import math

from amptalk.forecast.forecaster import Forecaster
from amptalk.forecast.result import Forecast
from amptalk.model.announcement import Announcement
from amptalk.model.decision import Allocation, Decision, Expectation, Observation
from amptalk.model.level import LimitState
from amptalk.model.resource import Kind
from amptalk.strategies.control import LimitControl

HORIZON = 12
_LIKELY = 0.3
"""A forecast is acted upon from this probability of crossing the limit."""
_LEAD = {"rate": 2, "hold": 6, "temperature": 6}
"""Steps ahead that count, by how fast a cut takes effect."""
_SET_ASIDE = {"rate": 4.0, "hold": 12.0, "temperature": 12.0}
"""Seconds before announced work begins in which its demand is set aside."""
_ARRIVED = 2.0
"""Seconds after which begun work is taken to show in the measured value."""
_LEAST_LIMIT = 0.05
"""Announcements leave at least this part of a limit to what runs already."""


class _Outlook:
    """What is expected of one limit."""

    __slots__ = ("control", "forecast", "forecaster", "likely")

    def __init__(self, state: LimitState, period: float) -> None:
        self.control = LimitControl(state)
        self.forecaster = Forecaster(HORIZON, period)
        self.forecast: Forecast | None = None
        self.likely = False


class Predictive:
    """Holds limits ahead of time; without anything to go by it is as `dynamic` is."""

    name = "predictive"

    def __init__(self, interval: float = 1.0) -> None:
        """`interval`: nominal seconds between observations, the step of the forecasts."""
        self._interval = interval
        self._outlooks: dict[str, _Outlook] = {}

    def decide(self, observation: Observation) -> Decision:
        """Answer one observation."""
        allocations = []
        for state in observation.limits:
            name = state.resource.name
            outlook = self._outlooks.get(name)
            if outlook is None:
                outlook = self._outlooks[name] = _Outlook(state, self._interval)
            coming = [a for a in observation.announcements if a.resource == name]
            allocations.append(_allocate(outlook, state, coming, observation.now))
        return Decision(self.name, tuple(allocations))


def _allocate(
    outlook: _Outlook, state: LimitState, coming: list[Announcement], now: float
) -> Allocation:
    if state.fresh and not math.isnan(state.value):
        outlook.forecaster.update(state.value, now)
        outlook.forecast = outlook.forecaster.forecast()
    forecast = outlook.forecast
    if forecast is None:
        return outlook.control.allocate(state, now)
    reserved = _reserved(coming, state.resource.kind)
    limit = max(_LEAST_LIMIT * state.limit, state.limit - reserved)
    expected = _expectation(forecast, limit, reserved)
    # Leaving takes half the probability of entering, so that reasons do not flicker.
    outlook.likely = expected.probability >= _LIKELY * (0.5 if outlook.likely else 1.0)
    value = forecast.value
    if outlook.likely:
        value = max(value, forecast.mean[_LEAD[state.resource.kind] - 1])
    topic = (outlook.likely, reserved)
    if not (outlook.likely or reserved):
        return outlook.control.allocate(state, now, value / limit, expected, topic)

    def tell() -> str:
        return _outlook_text(forecast, state, reserved, coming)

    return outlook.control.allocate(state, now, value / limit, expected, topic, tell)


def _reserved(coming: list[Announcement], kind: Kind) -> float:
    """Announced demand that begins soon and cannot be in the measured value yet."""
    soon = _SET_ASIDE[kind]
    return sum([a.amount for a in coming if -min(_ARRIVED, a.duration) < a.starts_in <= soon])


def _expectation(forecast: Forecast, limit: float, reserved: float) -> Expectation:
    """What is expected within the horizon, announced demand included."""
    probability = forecast.breach_probability(limit)
    highest = max(forecast.mean)
    seconds = forecast.step * (forecast.mean.index(highest) + 1)
    if probability >= _LIKELY:
        left = forecast.time_to(limit).seconds
        if left < math.inf:
            seconds = left
    return Expectation(highest + reserved, seconds, probability)


def _outlook_text(
    forecast: Forecast, state: LimitState, reserved: float, coming: list[Announcement]
) -> str:
    name, unit = state.resource.name, state.resource.unit
    if reserved:
        starts = max(0.0, min(a.starts_in for a in coming))
        return f"{reserved:.4g} {unit} of {name} set aside for work announced in {starts:.0f} s"
    left = forecast.time_to(state.limit).seconds
    if left == 0.0:
        return f"{name} is over {state.limit:.4g} {unit} and expected to stay"
    if left < math.inf:
        return (
            f"{name} reaches {state.limit:.4g} {unit} in {left:.0f} s at "
            f"{forecast.slope:+.3g} {unit}/s"
        )
    probability = forecast.breach_probability(state.limit)
    seconds = forecast.step * len(forecast.mean)
    return (
        f"{name} may cross {state.limit:.4g} {unit} within {seconds:.0f} s "
        f"(probability {probability:.0%})"
    )
