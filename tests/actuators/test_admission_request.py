"""Work of several sizes: the largest that fits is found without working all of them out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from amptalk.actuators.admission_request import Larger

sizes = st.lists(st.floats(0.1, 100.0), min_size=1, max_size=40, unique=True).map(sorted)


@given(sizes, st.floats(0.0, 120.0))
def test_the_largest_size_that_fits_is_found(sizes: list[float], room: float) -> None:
    larger = Larger(sizes, lambda size: {"memory": 10.0 * size})
    found = larger.largest(lambda amounts: amounts["memory"] <= 10.0 * room)
    fitting = [size for size in sizes if 10.0 * size <= 10.0 * room]
    assert (None if found is None else found.size) == (fitting[-1] if fitting else None)
    assert larger.wanted == (sizes[-1], {"memory": 10.0 * sizes[-1]})


def test_what_fits_at_once_is_worked_out_alone() -> None:
    asked = []

    def amounts(size: float) -> dict[str, float]:
        asked.append(size)
        return {"memory": size}

    larger = Larger([float(size) for size in range(1, 33)], amounts)
    larger.largest(lambda _amounts: True)
    assert asked == [32.0]
    larger.largest(lambda amounts: amounts["memory"] <= 7.0)
    assert len(asked) <= 7
