"""Several resources at once: dominant resource fairness where a component needs them together."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amptalk.model.decision import Ask
from amptalk.model.errors import ConfigurationError
from amptalk.sharing.allocation import allocate
from amptalk.sharing.bundles import Key, divide

NEAR = 1e-6
CAPACITIES = {"memory": 18.0, "cpu": 9.0}


def bundle(name: str, cpu: float, memory: float, weight: float = 1.0) -> dict[Key, Ask]:
    return {
        (name, "cpu"): Ask(0.0, cpu, weight, coupled=True),
        (name, "memory"): Ask(0.0, memory, weight, coupled=True),
    }


def test_the_example_of_the_paper() -> None:
    # 9 CPUs and 18 GB; tasks of A take (1 CPU, 4 GB), those of B (3 CPUs, 1 GB): 3 and 2 tasks run.
    grants = divide(CAPACITIES, {**bundle("A", 9, 36), **bundle("B", 9, 3)}, {})
    assert grants == pytest.approx({
        ("A", "cpu"): 3, ("A", "memory"): 12, ("B", "cpu"): 6, ("B", "memory"): 2,
    })  # fmt: skip


def test_what_one_cannot_use_goes_to_the_others() -> None:
    asks = {**bundle("A", 9, 36), ("idle", "cpu"): Ask(0.0, 9.0)}
    grants = divide(CAPACITIES, asks, {("idle", "cpu"): 1.0})
    assert grants["A", "memory"] == pytest.approx(18.0)
    assert grants["A", "cpu"] == pytest.approx(4.5)
    assert grants["idle", "cpu"] == pytest.approx(1.0)


def test_a_coupled_minimum_is_kept_and_steps_are_whole() -> None:
    asks = {
        ("A", "cpu"): Ask(1.0, 9.0, step=2.0, coupled=True),
        ("A", "memory"): Ask(6.0, 18.0, coupled=True),
        **bundle("B", 9, 18),
    }
    grants = divide(CAPACITIES, asks, {})
    assert grants["A", "memory"] >= 6.0
    assert (grants["A", "cpu"] - 1.0) % 2.0 == 0.0


def test_a_bundle_without_bounds_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"'A'.*give a maximum"):
        divide({"cpu": 9.0}, bundle("A", 9, math.inf), {})


@st.composite
def worlds(draw: st.DrawFn, coupled: st.SearchStrategy[bool]) -> dict[Key, Ask]:
    asks: dict[Key, Ask] = {}
    for name in draw(st.sets(st.sampled_from("abcd"), min_size=1)):
        together, weight = draw(coupled), draw(st.sampled_from([1.0, 2.0]))
        priority = draw(st.integers(0, 1))
        for resource in draw(st.sets(st.sampled_from(["cpu", "memory"]), min_size=1)):
            least = draw(st.floats(0.0, 2.0).map(lambda x: round(x, 2)))
            most = least + draw(st.floats(0.0, 20.0).map(lambda x: round(x, 2)))
            asks[name, resource] = Ask(least, most, weight, priority, coupled=together)
    return asks


@settings(max_examples=100, deadline=None)
@given(worlds(st.booleans()))
def test_grants_keep_capacity_and_bounds_and_none_could_have_more_alone(
    asks: dict[Key, Ask],
) -> None:
    grants = divide(CAPACITIES, asks, {})
    used = {r: math.fsum(g for (_, of), g in grants.items() if of == r) for r in CAPACITIES}
    for key, ask in asks.items():
        assert ask.minimum - NEAR <= grants[key] <= ask.maximum + NEAR
    full = {r for r, amount in used.items() if amount >= CAPACITIES[r] - NEAR}
    for resource, amount in used.items():
        assert amount <= CAPACITIES[resource] + NEAR
    for key, ask in asks.items():
        touched = {of for name, of in asks if name == key[0]} if ask.coupled else {key[1]}
        if grants[key] < ask.maximum - NEAR:
            growing = {of for of in touched if grants[key[0], of] < asks[key[0], of].maximum}
            assert growing & full, "what keeps it back is used up"


@settings(max_examples=60, deadline=None)
@given(worlds(st.just(True)))
def test_permuting_components_changes_nothing(asks: dict[Key, Ask]) -> None:
    turned = dict(reversed(list(asks.items())))
    assert divide(CAPACITIES, turned, {}) == divide(CAPACITIES, asks, {})


@settings(max_examples=60, deadline=None)
@given(worlds(st.just(False)))
def test_nothing_coupled_is_divided_each_resource_on_its_own(asks: dict[Key, Ask]) -> None:
    grants = divide(CAPACITIES, asks, {})
    for resource, capacity in CAPACITIES.items():
        mine = {name: ask for (name, of), ask in asks.items() if of == resource}
        assert {n: grants[n, resource] for n in mine} == allocate(capacity, mine)
    # The other way of dividing says the same of asks that happen to be coupled with nothing.
    alone = {(n, r): a for (n, r), a in asks.items() if r == "cpu"}
    coupled = {key: ask._replace(coupled=True) for key, ask in alone.items()}
    assert divide(CAPACITIES, coupled, {}) == pytest.approx(divide(CAPACITIES, alone, {}))
