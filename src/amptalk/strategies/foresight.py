"""One limit held ahead of time: what is known of it, and the control that makes room for it.

The control itself is in `control`, what is expected in `prospects` and `demand`, what acting
and waiting cost in `costs`. Here they meet: what room is made for, and when.
"""

from __future__ import annotations

import copy
import math
from typing import NamedTuple

from amptalk.forecast.forecaster import Forecaster
from amptalk.forecast.result import Forecast
from amptalk.forecast.thermal import ThermalModel
from amptalk.model.announcement import Announcement
from amptalk.model.decision import Allocation, Expectation
from amptalk.model.level import LimitState
from amptalk.model.resource import Kind
from amptalk.strategies.adapting import Adapting
from amptalk.strategies.control import NOTHING, Known, LimitControl
from amptalk.strategies.controllers.fast import FastController
from amptalk.strategies.costs import STAYING, break_even
from amptalk.strategies.demand import KnownDemand, Stretch, running_at
from amptalk.strategies.prospects import Growth, Prospect, claim_of, probability_of, prospect_of
from amptalk.strategies.reasons import about, words

HORIZON = 12
"""Steps of the forecasts."""
LEAD: dict[Kind, float] = {"rate": 2.0, "hold": 6.0, "temperature": 6.0}
"""Seconds until a cut has an effect; the value expected then is what is controlled."""
SET_ASIDE: dict[Kind, float] = {"rate": 6.0, "hold": 20.0, "temperature": 20.0}
"""Seconds before known demand begins in which it is set aside: a large cut takes a few steps,
and memory is given back slowly."""
_FIRST_CHANGED = 2
"""Steps until a value that a cut changes: the next one is of what runs already."""
_NO_GROWTH = 0.25
"""Part of what a quarter of the values are above the next expected one that is no growth."""
_SURE = 0.8
"""It is set aside so that the limit holds with this probability when it begins."""
_SMALLEST_CUT = 0.02
"""What a guard band takes; even without a crossing, acting costs so much."""
_LONGEST_STEP = 60.0
_CLAIM_EVERY = 4
"""Steps between forecasts that are handed out to be scored."""
_REMEMBERED = 300.0
"""Seconds after which the control from before known demand is no longer gone back to."""
_SAME = 0.01
"""Known demand is what it was when it differs by no more than this part of the limit."""


class _Before(NamedTuple):
    """The control as it was before known demand was set aside, to go back to afterwards."""

    control: LimitControl
    value: float
    """The value without known demand, then."""
    demand: float
    """Known demand, then."""
    expires: float
    """Monotonic seconds from which it is too old."""


class Foresight:
    """What is known of one limit, and its control."""

    __slots__ = (
        "_acting", "_adapting", "_before", "_cause", "_claimed", "_control", "_demand", "_first",
        "_forecast", "_forecaster", "_growth", "_interval", "_resting_until", "_thermal",
    )  # fmt: skip

    def __init__(
        self, state: LimitState, interval: float, adapting: Adapting | None = None
    ) -> None:
        """`interval`: nominal seconds between observations."""
        kind = state.resource.kind
        self._adapting = adapting
        self._interval = interval
        self._control = LimitControl(state)
        self._first: tuple[float, float] | None = None
        self._forecaster: Forecaster | None = None
        self._forecast: Forecast | None = None
        self._demand = KnownDemand(kind)
        self._thermal = ThermalModel() if kind == "temperature" else None
        self._growth = Growth()
        self._acting = False
        self._cause = ""
        self._before: _Before | None = None
        self._resting_until = self._claimed = -math.inf

    @property
    def measured(self) -> bool:
        """Whether there ever was a value."""
        return self._first is not None

    def pace(self, state: LimitState) -> float:
        """Part of the nominal interval after which the next sample is wanted."""
        return 1.0 if self._adapting is None else self._adapting.pace(state)

    def allocate(self, state: LimitState, announced: list[Announcement], now: float) -> Allocation:
        """Answer a state; `announced` is the known demand on its resource."""
        if state.fresh and math.isfinite(state.value):
            self._learn(state.value, announced, now)
            if self._adapting is not None:
                ratio = state.value / state.limit
                self._adapting.take(now, ratio, self._control.controller)
        forecast = self._forecast
        if forecast is None or state.blind:
            return self._control.allocate(state, now)
        stretches = self._demand.ahead(announced) if announced or self._demand.shown else []
        settling = self._thermal.settling() if self._thermal is not None else None
        prospect = prospect_of(
            state.resource.kind, forecast, stretches, settling, self._growth, now,
            state.value, state.limit, self._cause, violated=state.violated,
        )  # fmt: skip
        self._cause = prospect.cause
        extra = self._set_aside(stretches, state.resource.kind)
        known = self._known(announced, state, forecast, prospect, stretches, extra)
        self._change_control(state, forecast, extra, now)
        expected = self._expectation(state, forecast, stretches, prospect, now)
        if now < self._resting_until and known == NOTHING:
            state = state._replace(fresh=False)
        acting = self._acting
        topic = about(prospect, extra, acting=acting)
        if topic is None:
            return self._control.allocate(state, now, known, expected)
        return self._control.allocate(
            state, now, known, expected, topic,
            lambda: words(prospect, state, extra, acting=acting),
        )  # fmt: skip

    def _learn(self, value: float, coming: list[Announcement], now: float) -> None:
        """Take a measured value; what is known demand in it is not forecast."""
        demand = self._demand
        if coming or not demand.idle:
            usual = self._forecast.mean[0] if self._forecast is not None else math.nan
            value = demand.update(now, value, usual, coming, self._control.controller.share)
        if self._thermal is not None:
            self._thermal.update(value, now)
        forecaster = self._forecaster
        if forecaster is None:
            if self._first is None:
                self._first = (value, now)
                return
            # A sensor may be slower than the ticks; its own pace is the step of its forecasts.
            spacing = min(_LONGEST_STEP, now - self._first[1])
            forecaster = self._forecaster = Forecaster(HORIZON, max(self._interval, spacing))
            forecaster.update(*self._first)
        forecaster.update(value, now)
        self._forecast = forecaster.forecast()

    def _set_aside(self, stretches: list[Stretch], kind: Kind) -> float:
        """Known demand that begins soon or has begun, and does not show in the value yet."""
        if not stretches:
            return 0.0
        soon = [one.whole for one in stretches if one.begins <= SET_ASIDE[kind]]
        return max(0.0, max(soon) - self._demand.shown)

    def _known(  # noqa: PLR0917 - everything that is known of a limit
        self,
        announced: list[Announcement],
        state: LimitState,
        forecast: Forecast,
        prospect: Prospect,
        stretches: list[Stretch],
        extra: float,
    ) -> Known:
        """What the control makes room for, if it pays to act."""
        kind, limit, value = state.resource.kind, state.limit, state.value
        probability = prospect.probability
        growth = 0.0 if kind == "rate" else _growth_ahead(forecast, LEAD[kind])
        ahead = SET_ASIDE[kind]
        soon = extra + self._demand.shown
        if any(one.begins > ahead and one.whole > soon for one in stretches):
            probability = probability_of(forecast, stretches, limit, ahead)[0]
        doubt = 0.0
        if extra > 0.0:
            _, high = forecast.interval(2.0 * _SURE - 1.0)
            at = _steps(ahead, forecast.step) - 1
            doubt = high[at] - forecast.mean[at]
        level = value + growth + doubt
        room = Known(reserved=extra).room(limit)
        cut = max(_SMALLEST_CUT, 1.0 - room / level if level > room else 0.0)
        self._acting = probability >= break_even(cut, kind) * (STAYING if self._acting else 1.0)
        demand = self._demand
        if demand.scales:
            return self._held_back(announced)
        taken = demand.taken
        return Known(taken, taken + (extra + doubt + growth if self._acting else 0.0))

    def _held_back(self, announced: list[Announcement]) -> Known:
        """Room for announced work that is held back as the rest is.

        It is made just in time: one cut does. What has begun is in the load by now, or will be
        before work is raised again.
        """
        controller = self._control.controller
        if not isinstance(controller, FastController):
            return NOTHING
        begun = running_at(announced, 0.0)
        starts = [one.starts_in for one in announced if 0.0 < one.starts_in <= controller.lead]
        soon = max([running_at(announced, moment) for moment in starts], default=0.0)
        return Known(coming=soon - begun) if soon > begun else NOTHING

    def _change_control(
        self, state: LimitState, forecast: Forecast, extra: float, now: float
    ) -> None:
        """Keep the control before known demand is set aside, and go back to it afterwards.

        Feedback alone would take back a large cut slowly, as it should when it does not know
        what made it necessary. Here it is known, and that it is over.
        """
        before, demand = self._before, self._demand
        if before is None:
            if self._acting and extra > 0.0 and not demand.scales:
                self._before = _Before(
                    copy.deepcopy(self._control), forecast.value, demand.shown, now + _REMEMBERED
                )
        elif now >= before.expires:
            self._before = None
        elif demand.settled and demand.shown + extra <= before.demand + _SAME * state.limit:
            self._before = None
            # Something else may have grown meanwhile: then feedback goes on from here.
            if forecast.value <= before.value:
                self._control = before.control
                # The room there is until its share shows is none to be used.
                self._resting_until = now + LEAD[state.resource.kind]

    def _expectation(
        self,
        state: LimitState,
        forecast: Forecast,
        stretches: list[Stretch],
        prospect: Prospect,
        now: float,
    ) -> Expectation:
        claim = None
        if state.fresh and now - self._claimed >= (_CLAIM_EVERY - 0.5) * forecast.step:
            self._claimed = now
            claim = claim_of(forecast, stretches, prospect.within)
        return Expectation(prospect.value, prospect.seconds, prospect.probability, claim)


def _growth_ahead(forecast: Forecast, seconds: float) -> float:
    """How much the value is expected to grow in `seconds`, 0 or more.

    Along the expected path. From the value to the path would be no growth: where readings are
    noisy, the path leads back from every one of them.
    """
    lead = max(_FIRST_CHANGED, _steps(seconds, forecast.step))
    steps = max(1, lead - 1)
    rise = forecast.mean[steps] - forecast.mean[0]
    if rise <= 0.0:
        return 0.0
    _, high = forecast.interval(0.5)
    # A path leads up half of the time even where there is noise only: that much is none.
    return max(0.0, rise * lead / steps - _NO_GROWTH * (high[0] - forecast.mean[0]))


def _steps(seconds: float, step: float) -> int:
    """Steps of a forecast that so many seconds are, at least one."""
    return min(HORIZON, max(1, round(seconds / step)))
