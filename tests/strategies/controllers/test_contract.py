"""What every controller promises."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amptalk.model.decision import MINIMUM_SHARE
from amptalk.strategies.controllers.contract import Controller
from amptalk.strategies.controllers.either import EitherController
from amptalk.strategies.controllers.fast import FastController
from amptalk.strategies.controllers.slow import SlowController
from amptalk.strategies.controllers.use import UseController


@pytest.mark.parametrize("make", [FastController, UseController, SlowController, EitherController])
@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0.01, 30.0), st.floats(0.0, 1e6), st.just(1.0) | st.floats(0.0, 1.0)),
        max_size=80,
    )
)
def test_whatever_is_measured_the_share_is_in_range(
    make: Callable[[], Controller], ticks: list[tuple[float, float, float]]
) -> None:
    controller, now = make(), 0.0
    for elapsed, ratio, most in ticks:
        now += elapsed
        share = controller.take(now, ratio, max(MINIMUM_SHARE, most))
        assert MINIMUM_SHARE <= share <= 1.0
        assert math.isfinite(controller.guard)
