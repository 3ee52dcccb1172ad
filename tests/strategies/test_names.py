"""From what a user writes to a strategy."""

from __future__ import annotations

import subprocess
import sys

import pytest

from amptalk.model.decision import Decision, Observation
from amptalk.model.errors import ConfigurationError
from amptalk.strategies.names import STRATEGIES, make_strategy
from tests.strategies.observations import observed, state


@pytest.mark.parametrize("name", STRATEGIES)
def test_each_name_makes_the_strategy_of_that_name(name: str) -> None:
    strategy = make_strategy(name, 1.0)
    assert strategy.name == name
    decision = strategy.decide(observed(0.0, state()))
    assert decision.strategy == name
    assert decision.share("memory") == 1.0


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("dynamic+cooperative", "dynamic+cooperative"),
        (["predictive", "cooperative"], "predictive+cooperative"),
        (("cooperative", "adaptive"), "cooperative+adaptive"),
        ("predictive+adaptive", "predictive+adaptive"),
        ("cooperative+predictive+adaptive", "cooperative+predictive+adaptive"),
        ("  Dynamic ", "dynamic"),
        ("Predictive + ADAPTIVE", "predictive+adaptive"),
        (["dynamic"], "dynamic"),
    ],
)
def test_several_names_are_combined_in_the_order_written(spec: object, name: str) -> None:
    strategy = make_strategy(spec, 1.0)  # type: ignore[arg-type]
    assert strategy.name == name
    assert strategy.decide(observed(0.0, state())).strategy == name


def test_an_object_that_is_a_strategy_is_used_as_it_is() -> None:
    class Own:
        name = "own"

        def decide(self, observation: Observation) -> Decision:
            return Decision("own", ())

    own = Own()
    assert make_strategy(own, 1.0) is own


@pytest.mark.parametrize("spec", ["dynamo", "", "+", "dynamic+", [], ["dynamic", 3], 7, None, b"x"])
def test_anything_else_is_refused_with_the_value_and_the_names_allowed(spec: object) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_strategy(spec, 1.0)  # type: ignore[arg-type]
    assert repr(spec) in str(caught.value)
    assert all(name in str(caught.value) for name in STRATEGIES)


def test_a_misspelt_name_gets_the_close_one() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'adaptive'"):
        make_strategy("adaptiv", 1.0)


def test_the_same_name_twice_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'dynamic' twice"):
        make_strategy("dynamic+Dynamic", 1.0)


def test_only_the_strategy_asked_for_is_imported() -> None:
    code = (
        "import sys; from amptalk.strategies.names import make_strategy;"
        "make_strategy('dynamic', 1.0);"
        "print([m for m in sys.modules if 'forecast' in m or 'predictive' in m or 'json' in m"
        " or 'asyncio' in m or 'logging' in m])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={"PYTHONPATH": "src"},
    )  # fmt: skip
    assert done.stdout.strip() == "[]"
