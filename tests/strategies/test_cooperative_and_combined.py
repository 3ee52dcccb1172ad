"""Dividing limits among components, and several strategies at once."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.model.announcement import Announcement
from amptalk.model.decision import Allocation, Ask, Decision, Observation
from amptalk.strategies.combined import Combined
from amptalk.strategies.cooperative import Cooperative
from amptalk.strategies.dynamic import Dynamic
from amptalk.strategies.names import make_strategy
from tests.strategies.observations import observed, state


class Fixed:
    """Always answers the same shares."""

    def __init__(self, name: str, shares: dict[str, float], interval: float | None = None) -> None:
        self.name = name
        self.answer = Decision(
            name, tuple(Allocation(r, s, f"{name} says") for r, s in shares.items()), interval
        )

    def decide(self, observation: Observation) -> Decision:
        return self.answer


ASKS = {"vision": {"memory": Ask(100, 800, 2)}, "speech": {"memory": Ask(100, 800)}}


def test_without_components_the_inner_strategy_decides_and_the_reason_says_so() -> None:
    seen = observed(0.0, state(value=500.0))
    decision = Cooperative(Dynamic()).decide(seen)
    assert decision.share("memory") == Dynamic().decide(seen).share("memory")
    assert decision.grants is None
    assert "one share" in decision.allocations[0].reason


def test_a_limit_is_divided_by_weight_with_the_grants_in_the_reason() -> None:
    decision = Cooperative(Dynamic()).decide(observed(0.0, state(value=500.0), asks=ASKS))
    assert decision.grants is not None
    assert decision.grants["vision"]["memory"] == pytest.approx(2000 / 3)
    assert decision.grants["speech"]["memory"] == pytest.approx(1000 / 3)
    assert "vision 666.7" in decision.allocations[0].reason


def test_what_may_not_run_is_not_divided() -> None:
    inner = Fixed("inner", {"memory": 0.6})
    decision = Cooperative(inner).decide(observed(0.0, state(), asks=ASKS))
    assert decision.grants == {"vision": {"memory": 400.0}, "speech": {"memory": 200.0}}


def test_a_demand_leaves_the_rest_to_others() -> None:
    seen = observed(0.0, state(), asks=ASKS, demands={"vision": {"memory": 250.0}})
    grants = Cooperative(Fixed("inner", {"memory": 1.0})).decide(seen).grants
    assert grants == {"vision": {"memory": 250.0}, "speech": {"memory": 750.0}}


def test_minimums_that_no_longer_fit_are_kept_and_flagged() -> None:
    asks = {"a": {"memory": Ask(600, 800)}, "b": {"memory": Ask(600, 800)}}
    decision = Cooperative(Dynamic()).decide(observed(0.0, state(), asks=asks))
    assert decision.grants == {"a": {"memory": 600.0}, "b": {"memory": 600.0}}
    assert "exceed it by 200 MB" in decision.allocations[0].reason


def test_grants_do_not_tremble_with_small_changes_and_follow_large_ones() -> None:
    inner = Fixed("inner", {"memory": 0.8})
    strategy = Cooperative(inner)
    first = strategy.decide(observed(0.0, state(), asks=ASKS)).grants
    inner.answer = Decision("inner", (Allocation("memory", 0.805, ""),))
    assert strategy.decide(observed(1.0, state(), asks=ASKS)).grants is first
    inner.answer = Decision("inner", (Allocation("memory", 0.4, ""),))
    last = strategy.decide(observed(2.0, state(), asks=ASKS)).grants
    assert last is not None
    assert sum(part["memory"] for part in last.values()) == pytest.approx(400.0)


def test_a_component_that_leaves_loses_its_grant() -> None:
    strategy = Cooperative(Dynamic())
    strategy.decide(observed(0.0, state(), asks=ASKS))
    alone = strategy.decide(observed(1.0, state(), asks={"speech": ASKS["speech"]}))
    assert alone.grants == {"speech": {"memory": 800.0}}
    assert strategy.decide(observed(2.0, state())).grants is None


def test_several_resources_are_divided_each_on_its_own() -> None:
    asks = {"a": {"memory": Ask(0, 800), "cpu": Ask(0, 30)}, "b": {"cpu": Ask(0, 80)}}
    seen = observed(0.0, state(), state("cpu", 10.0, 80.0), asks=asks)
    assert Cooperative(Dynamic()).decide(seen).grants == {
        "a": {"memory": 800.0, "cpu": 30.0}, "b": {"cpu": 50.0},
    }  # fmt: skip


shares = st.dictionaries(st.sampled_from(["memory", "cpu"]), st.floats(0.05, 1.0))


@given(
    st.lists(shares, min_size=2, max_size=4), st.lists(st.none() | st.floats(0.1, 9), min_size=4)
)
def test_the_smallest_share_and_the_smallest_interval_win(
    answers: list[dict[str, float]], intervals: list[float | None]
) -> None:
    parts = [Fixed(str(i), a, intervals[i]) for i, a in enumerate(answers)]
    decision = Combined(parts).decide(observed(0.0))
    for name in ("memory", "cpu"):
        given_shares = [a[name] for a in answers if name in a]
        if given_shares:
            assert decision.share(name) == min(given_shares)
    wished = [i for i in intervals[: len(answers)] if i is not None]
    assert decision.interval == min(wished, default=None)


def test_the_reason_names_the_part_that_decided() -> None:
    combined = Combined([Fixed("one", {"memory": 0.9}), Fixed("two", {"memory": 0.4})])
    first = combined.decide(observed(0.0, state()))
    assert first.allocations[0].reason == "two: two says"
    assert first.strategy == combined.name == "one+two"
    assert combined.decide(observed(1.0, state())).allocations[0] is first.allocations[0]


def test_cooperative_divides_what_the_other_parts_leave() -> None:
    strategy = make_strategy("predictive+cooperative", 1.0)
    for second in range(20):
        coming = (Announcement("memory", 450.0, 37.0 - second, 60.0),)
        seen = observed(float(second), state(value=600.0), asks=ASKS, announcements=coming)
        decision = strategy.decide(seen)
    assert decision.grants is not None
    total = math.fsum(part["memory"] for part in decision.grants.values())
    assert total <= 1000.0 * decision.share("memory") * 1.01
    assert decision.share("memory") < 0.9
