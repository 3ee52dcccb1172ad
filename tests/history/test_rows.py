"""The ring of rows: columns for what ever had a value, and every value where it was put."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from amptalk.history.rows import MONOTONIC, VALUES, Rows
from amptalk.model.sample import FIELDS

MISSING = (math.nan,) * len(FIELDS)
CHANGES = st.lists(
    st.dictionaries(st.integers(0, len(FIELDS) - 1), st.floats(-1e9, 1e9), max_size=6),
    max_size=12,
)


def same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


@settings(max_examples=150, deadline=None)
@given(changes=CHANGES, kept=st.integers(1, 9))
def test_each_value_reads_as_it_was_put_whichever_series_come_and_go(
    changes: list[dict[int, float]], kept: int
) -> None:
    rows = Rows(kept)
    put = []
    for at, change in enumerate(changes):
        values = list(MISSING)
        for position, value in change.items():
            values[position] = value
        rows.append(float(at), 0.0, tuple(values))
        put.append(values)
    first, last = rows.readable()
    assert (last, last - first) == (len(put), min(kept, len(put)))
    assert list(rows.column(MONOTONIC, first, last)) == list(map(float, range(first, last)))
    for position in range(len(FIELDS)):
        read = rows.column(VALUES + position, first, last)
        assert all(map(same, read, [values[position] for values in put[first:]]))
    live = [position for position, _ in rows.columns(first, last)]
    assert live == sorted({position for change in changes for position in change})


def test_what_never_had_a_value_takes_no_memory() -> None:
    few, many = Rows(3600), Rows(3600)
    for at in range(3700):
        few.append(float(at), 0.0, (1.0, *MISSING[1:]))
        many.append(float(at), 0.0, (1.0,) * len(FIELDS))
    assert few.memory_bytes() < 3 * 8 * 3700
    assert many.memory_bytes() > len(FIELDS) * 8 * 3600
