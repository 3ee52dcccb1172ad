"""The limits a user gives: what is accepted, what is refused and how."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.limits.limits import ResourceLimits
from amptalk.model.errors import ConfigurationError
from amptalk.model.resource import CPU, MEMORY, TEMPERATURE

NAMES = (
    "max_memory_mb", "max_cpu_percent", "max_gpu_percent", "max_gpu_memory_mb",
    "max_power_watts", "max_temp_celsius",
)  # fmt: skip


class Bool:
    """As numpy's own: no bool, but it turns into a float."""

    def __float__(self) -> float:
        return 1.0


Bool.__name__ = "bool_"


def test_only_the_limits_that_are_set_are_listed_with_their_resource() -> None:
    limits = ResourceLimits(max_temp_celsius=80, max_memory_mb=1000)
    assert limits.items() == ((MEMORY, 1000.0), (TEMPERATURE, 80.0))
    assert ResourceLimits().items() == ()


def test_whole_numbers_and_what_turns_into_a_number_become_floats() -> None:
    limits = ResourceLimits(max_memory_mb=1000, max_cpu_percent=Fraction(1, 2))  # type: ignore[arg-type]
    assert limits.max_memory_mb == 1000.0
    assert isinstance(limits.max_memory_mb, float)
    assert limits.items()[1] == (CPU, 0.5)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "value", [0, -1, math.nan, math.inf, -math.inf, "80", b"8", True, False, [80], 1j, Bool()]
)
def test_what_cannot_be_a_limit_is_refused_with_name_value_range_and_remedy(
    name: str, value: object
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ResourceLimits(**{name: value})  # type: ignore[arg-type]
    text = str(caught.value)
    assert f"{name}={value!r}" in text
    assert "above 0" in text
    assert "None" in text


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_cpu_percent", 100.1), ("max_gpu_percent", 101), ("max_temp_celsius", 151)],
)
def test_more_than_makes_sense_is_refused(name: str, value: float) -> None:
    with pytest.raises(ConfigurationError, match="up to"):
        ResourceLimits(**{name: value})


@given(st.sampled_from(NAMES), st.floats(min_value=1e-6, max_value=100))
def test_every_positive_number_in_range_is_accepted(name: str, value: float) -> None:
    assert ResourceLimits(**{name: value}).items()[0][1] == value


def test_limits_cannot_be_changed_and_are_given_by_name() -> None:
    limits = ResourceLimits(max_memory_mb=10)
    with pytest.raises(AttributeError):
        limits.max_memory_mb = 20  # type: ignore[misc]
    with pytest.raises(TypeError):
        ResourceLimits(10)  # type: ignore[call-arg]


def test_more_memory_than_there_is_is_a_warning_with_both_numbers() -> None:
    (text,) = ResourceLimits(max_memory_mb=9000).warnings(4.0, 8000.0)
    assert "9000" in text
    assert "8000" in text
    assert ResourceLimits(max_memory_mb=7000).warnings(4.0, 8000.0) == ()


def test_a_percentage_that_cannot_be_exceeded_is_a_warning() -> None:
    (text,) = ResourceLimits(max_cpu_percent=100).warnings(4.0, 8000.0)
    assert "4 cores" in text
    assert len(ResourceLimits(max_gpu_percent=100).warnings(4.0, 8000.0)) == 1
    assert ResourceLimits(max_cpu_percent=99).warnings(4.0, 8000.0) == ()


def test_nothing_is_said_about_a_capacity_that_is_unknown() -> None:
    limits = ResourceLimits(max_memory_mb=9000, max_cpu_percent=100)
    assert limits.warnings(math.nan, math.nan) == ()
