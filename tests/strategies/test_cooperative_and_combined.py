"""Dividing limits among components, and several strategies at once."""

from __future__ import annotations

from itertools import permutations

import pytest

from amptalk.model.announcement import Announcement
from amptalk.model.decision import Allocation, Decision, Observation
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


@pytest.mark.parametrize("parts", list(permutations(("dynamic", "predictive", "adaptive"), 2)))
def test_a_combination_is_one_control_with_what_each_part_adds(parts: tuple[str, ...]) -> None:
    name = "+".join(parts)
    combined = make_strategy(name, 1.0)
    adding = [make_strategy(part, 1.0) for part in parts if part != "dynamic"]
    for second in range(200):
        seen = observed(float(second), state("cpu", 70.0 + 30.0 * (second % 40 < 20), 80.0))
        decision = combined.decide(seen)
        answers = [part.decide(seen) for part in adding]
    assert decision.strategy == combined.name == name
    if len(adding) == 1:
        assert decision.share("cpu") == answers[0].share("cpu")
    assert decision.interval == min([a.interval for a in answers if a.interval], default=None)


def test_predictive_and_adaptive_make_room_and_choose_the_guard_band() -> None:
    combined, alone = make_strategy("predictive+adaptive", 1.0), make_strategy("adaptive", 1.0)
    coming = (Announcement("memory", 450.0, 5.0, 60.0),)
    for second in range(20):
        seen = observed(float(second), state(value=600.0))
        combined.decide(seen)
        alone.decide(seen)
    told = observed(20.0, state(value=600.0), announcements=coming)
    assert combined.decide(told).share("memory") < alone.decide(told).share("memory") == 1.0


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
