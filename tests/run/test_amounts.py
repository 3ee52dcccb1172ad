"""Amounts as people write them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.model.errors import ConfigurationError
from amptalk.run import amounts
from amptalk.run.amounts import Amount


@pytest.mark.parametrize(
    ("parse", "text", "value", "unit"),
    [
        (amounts.size, "1.5G", 1536.0, "MB"),
        (amounts.size, "1.5GiB", 1536.0, "MB"),
        (amounts.size, "1500M", 1500.0, "MB"),
        (amounts.size, "1500 mb", 1500.0, "MB"),
        (amounts.size, "512k", 0.5, "MB"),
        (amounts.cpus, "2", 2.0, "cores"),
        (amounts.cpus, ".5", 0.5, "cores"),
        (amounts.cpus, "50%", 50.0, "%"),
        (amounts.power, "15", 15.0, "W"),
        (amounts.power, "1500mW", 1.5, "W"),
        (amounts.degrees, "80", 80.0, "°C"),
        (amounts.degrees, "80°C", 80.0, "°C"),
        (amounts.duration, "90", 90.0, "s"),
        (amounts.duration, "1h", 3600.0, "s"),
        (amounts.duration, "1h30m", 5400.0, "s"),
        (amounts.duration, "1 h 30 min", 5400.0, "s"),
        (amounts.duration, "250ms", 0.25, "s"),
        (amounts.energy, "5Wh", 18000.0, "J"),
        (amounts.energy, "18000J", 18000.0, "J"),
        (amounts.energy, "2MJ", 2e6, "J"),
        (amounts.energy, "500mWh", 1800.0, "J"),
    ],
)
def test_an_amount_is_what_people_mean(
    parse: Callable[[str], Amount], text: str, value: float, unit: str
) -> None:
    amount = parse(text)
    assert amount.value == pytest.approx(value)
    assert amount.unit == unit


@pytest.mark.parametrize(
    ("parse", "text", "why"),
    [
        (amounts.size, "1500", "the unit is missing; allowed is K, M, G or T"),
        (amounts.size, "5X", "unit 'X' is unknown"),
        (amounts.size, "0G", "not above 0"),
        (amounts.size, "-1G", "not above 0"),
        (amounts.size, "G", "does not begin with a number"),
        (amounts.size, "", "does not begin with a number"),
        (amounts.size, "1.2.3G", "does not begin with a number"),
        (amounts.cpus, "2 cores", "unit 'cores' is unknown"),
        (amounts.degrees, "80F", "unit 'F' is unknown"),
        (amounts.duration, "1h30", "the unit is missing"),
        (amounts.duration, "1y", "unit 'y' is unknown"),
        (amounts.duration, "", "does not begin with a number"),
        (amounts.energy, "5", "the unit is missing"),
        (amounts.energy, "5MWh", "unit 'MWh' is unknown"),
        (amounts.energy, "5mJ", "unit 'mJ' is unknown"),
        (amounts.energy, "5W", "unit 'W' is unknown"),
    ],
)
def test_what_is_not_clear_is_refused(parse: Callable[[str], Amount], text: str, why: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(text)
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


PARSERS = st.sampled_from(
    [amounts.size, amounts.cpus, amounts.power, amounts.degrees, amounts.duration, amounts.energy]
)


@given(PARSERS, st.text(max_size=12))
def test_any_text_is_an_amount_above_0_or_one_clear_refusal(
    parse: Callable[[str], Amount], text: str
) -> None:
    try:
        amount = parse(text)
    except ConfigurationError as error:
        assert str(error)
    else:
        assert 0.0 < amount.value < float("inf")


@given(st.floats(0.001, 1e6), st.sampled_from([("K", 2.0**-10), ("M", 1), ("G", 2**10)]))
def test_a_size_keeps_its_number(number: float, unit: tuple[str, float]) -> None:
    text = f"{number:.6f}"
    assert amounts.size(text + unit[0]).value == pytest.approx(float(text) * unit[1])


@given(st.integers(0, 50), st.integers(1, 59), st.integers(1, 59))
def test_parts_of_a_time_add_up(hours: int, minutes: int, seconds: int) -> None:
    text = f"{hours}h" if hours else ""
    assert amounts.duration(f"{text}{minutes}m{seconds}s").value == pytest.approx(
        hours * 3600 + minutes * 60 + seconds
    )
