"""Dividing limits among components, and several strategies at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from amptalk.model.announcement import Announcement
from amptalk.model.decision import Allocation, Decision, Observation
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


GRANTED = {"memory": {"vision": 600.0, "speech": 300.0}}


def test_without_components_the_inner_strategy_decides_and_the_reason_says_so() -> None:
    seen = observed(0.0, state(value=500.0))
    decision = Cooperative(Dynamic()).decide(seen)
    assert decision.share("memory") == Dynamic().decide(seen).share("memory")
    assert "one share" in decision.allocations[0].reason


def test_who_holds_what_is_in_the_reason() -> None:
    strategy = Cooperative(Fixed("inner", {"memory": 0.9}))
    first = strategy.decide(observed(0.0, state(), granted=GRANTED))
    assert first.allocations[0].reason == (
        "900 MB of memory divided: vision 600, speech 300; inner says"
    )
    again = strategy.decide(observed(1.0, state(), granted=GRANTED))
    assert again.allocations[0] is first.allocations[0], "nothing is built while nothing changes"
    other = strategy.decide(observed(2.0, state(), granted={"memory": {"vision": 1.0}}))
    assert "divided: vision 1;" in other.allocations[0].reason


def test_what_may_not_run_is_not_divided() -> None:
    inner = Fixed("inner", {"memory": 0.6, "cpu": 1.0})
    seen = observed(0.0, state(), state("cpu", 10.0, 80.0), granted=GRANTED)
    assert Cooperative(inner).decide(seen).divided == {"memory": 600.0, "cpu": 80.0}


def test_what_is_divided_does_not_tremble_and_follows_large_changes() -> None:
    inner = Fixed("inner", {"memory": 0.8})
    strategy = Cooperative(inner)
    first = strategy.decide(observed(0.0, state())).divided
    inner.answer = Decision("inner", (Allocation("memory", 0.805, ""),))
    assert strategy.decide(observed(1.0, state())).divided is first
    inner.answer = Decision("inner", (Allocation("memory", 0.4, ""),))
    assert strategy.decide(observed(2.0, state())).divided == {"memory": 400.0}


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
        decision = strategy.decide(
            observed(float(second), state(value=600.0), granted=GRANTED, announcements=coming)
        )
    assert decision.divided is not None
    assert decision.divided["memory"] <= 1000.0 * decision.share("memory") * 1.01
    assert decision.share("memory") < 0.9
