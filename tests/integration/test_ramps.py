"""Memory ramps in a real control group: the shortened form of `benchmarks/enforcement.py`, 25 s.

Deadlines are generous, since machines that run tests are busy; the benchmark has the figures.
Version 1, whose groups count kernel kills in `memory.oom_control`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.enforcing.ramp import GAP, INTERPRETERS, LOOKAHEAD, Ramp, reaction_of, unavailable

WHY_NOT = unavailable()
REACTION = 1.0
ADMITTED = 60.0


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "can be had")
@pytest.mark.parametrize(
    ("rate", "manner", "gil"),
    [(120.0, "heeds", False), (500.0, "deaf", False), (500.0, "deaf", True)],
    ids=["slow and heeds", "fast and deaf", "fast while the GIL is kept for 500 ms"],
)
def test_the_hog_shrinks_or_goes_and_all_else_lives(rate: float, manner: str, gil: bool) -> None:
    ramp = Ramp(rate, 2 * rate, manner, gil=gil)
    try:
        result = ramp.result()
    finally:
        ramp.stop()
    assert result.cap - INTERPRETERS >= rate * LOOKAHEAD
    assert result.kernel_kills == 0
    assert result.outcome == "gone" if manner == "deaf" else result.outcome != "held"
    assert result.neighbour
    assert result.events == (1 if manner == "deaf" else result.named), result.told
    assert result.highest < result.cap
    assert result.admitted is not None
    assert result.admitted <= ADMITTED
    if result.reaction is not None:
        assert result.reaction <= REACTION


def at_rate(mb: int, rate: float, begin: float = 0.0) -> list[float]:
    return [begin + number / rate for number in range(mb)]


def test_a_reaction_counts_from_half_a_second_before_the_cap_until_growth_stands_still() -> None:
    assert reaction_of(at_rate(400, 100.0), 1000.0) is None, "it never came that near"
    times = at_rate(970, 100.0)
    assert reaction_of(times, 1000.0) == pytest.approx(0.19, abs=0.02)
    stood = [*times, *at_rate(10, 100.0, begin=times[-1] + 2 * GAP)]
    assert reaction_of(stood, 1000.0) == pytest.approx(0.19, abs=0.02)


def test_the_log_of_a_hog_is_as_long_as_what_it_had(tmp_path: Path) -> None:
    slow = [*at_rate(500, 100.0), *at_rate(500, 10.0, begin=5.2)]
    assert reaction_of(slow, 2000.0) is None
