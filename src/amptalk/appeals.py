"""A manager beneath `amptalk run` heeds what that asks, whatever strategy it was given."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from amptalk.model.appeal import DESCRIPTOR
from amptalk.strategies.names import make_strategy

if TYPE_CHECKING:
    from amptalk.model.decision import Strategy


def strategy_of(spec: str | Sequence[str] | Strategy, interval: float) -> Strategy:
    """As `make_strategy`; knobs then also follow the shares that this process is asked for."""
    strategy = make_strategy(spec, interval)
    if DESCRIPTOR in os.environ:
        from amptalk.sensors.appeals import appeals
        from amptalk.strategies.asked import Asked

        reader = appeals(os.environ)
        if reader is not None:
            return Asked(strategy, reader.current)
    return strategy
