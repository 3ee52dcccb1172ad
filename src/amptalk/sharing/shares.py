"""The table of shares: who holds what, what is lent, borrowed and owed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from amptalk.model.resource import BUILT_IN
from amptalk.sharing.ledgers.contract import Row
from amptalk.sharing.ledgers.settling import division


class Share(NamedTuple):
    """One row of the table of shares."""

    component: str
    resource: str
    unit: str
    minimum: float
    maximum: float
    weight: float
    priority: int
    demand: float
    """What it said it wants now; `nan` when it did not."""
    granted: float
    """What it may use now."""
    charged: float
    """What is counted against the limit for it: more than granted until a shrink is confirmed."""
    lent: float
    """What it would have if everybody wanted all, and leaves to others."""
    borrowed: float
    """What it has beyond that, for as long as others do not want it."""
    owed: float
    """What it is still to be given, once others have shrunk."""
    note: str
    """What keeps a shrink from being confirmed; empty when nothing does."""


def shares_of(
    rows: Sequence[Row], capacities: Mapping[str, float], notes: Mapping[tuple[str, str], str]
) -> tuple[Share, ...]:
    """One share for each row."""
    targets = division(rows, capacities)
    fair = division([row._replace(demand=math.inf) for row in rows], capacities)
    return tuple(
        Share(
            row.component, row.resource, BUILT_IN[row.resource].unit, row.ask.minimum,
            row.ask.maximum, row.ask.weight, row.ask.priority,
            row.demand if row.demand < math.inf else math.nan, row.granted, row.charged,
            max(0.0, fair[row.key] - targets[row.key]), max(0.0, row.granted - fair[row.key]),
            max(0.0, targets[row.key] - row.granted), notes.get(row.key, ""),
        )
        for row in rows
    )  # fmt: skip
