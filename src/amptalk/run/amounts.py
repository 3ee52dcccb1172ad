"""Amounts as people write them: `1.5G`, `2`, `50%`, `15W`, `80C`, `1h30m`, `5Wh`.

Pure. Sizes are powers of 1024, as everywhere here: `1.5G` and `1.5GiB` are 1536 MB. What is
ambiguous without a unit (memory, energy) needs one. Which amounts make sense as a limit is checked
with the library's own ranges (`limits.limits`); what they are for is said in `settings`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from amptalk.model.errors import ConfigurationError


class Amount(NamedTuple):
    """A number and the unit it is in."""

    value: float
    unit: str
    """`MB`, `cores`, `%`, `W`, `°C`, `s` or `J`."""


_SIZES = {"k": 2.0**-10, "m": 1.0, "g": 2.0**10, "t": 2.0**20}
_POWERS = {"": 1.0, "w": 1.0, "mw": 1e-3, "kw": 1e3}
_DEGREES = {"": 1.0, "c": 1.0, "°c": 1.0}
_SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_ENERGIES = {"j": 1.0, "kj": 1e3, "mj": 1e6, "ws": 1.0, "mwh": 3.6, "wh": 3600.0, "kwh": 3.6e6}
_CASED = {"mJ": "", "MJ": "mj", "MWh": "", "mWh": "mwh"}
"""Energies whose prefix depends on the case; empty for those that are not taken."""
_DIGITS = frozenset("0123456789.")


def size(text: str) -> Amount:
    """Memory in MB of 1024² bytes.

    >>> size("1.5G")
    Amount(value=1536.0, unit='MB')
    """
    number, unit = _parts(text)
    letter = unit.lower().removesuffix("ib").removesuffix("b")
    if not unit or letter not in _SIZES:
        raise _unknown(unit, "K, M, G or T, such as 1500M or 1.5G")
    return Amount(number * _SIZES[letter], "MB")


def cpus(text: str) -> Amount:
    """CPU as a number of cores, or as a share of what can be used.

    >>> cpus("2"), cpus("50%")
    (Amount(value=2.0, unit='cores'), Amount(value=50.0, unit='%'))
    """
    number, unit = _parts(text)
    if unit not in {"", "%"}:
        raise _unknown(unit, "none for cores, such as 2 or 0.5, or % of what can be used")
    return Amount(number, "%" if unit else "cores")


def power(text: str) -> Amount:
    """Power in watts, the unit when none is given."""
    return _scaled(text, _POWERS, "W", "W, mW or kW, such as 15W")


def degrees(text: str) -> Amount:
    """Temperature in °C, the unit when none is given."""
    return _scaled(text, _DEGREES, "°C", "C, such as 80C")


def energy(text: str) -> Amount:
    """Energy in joules.

    >>> energy("5Wh")
    Amount(value=18000.0, unit='J')
    """
    number, unit = _parts(text)
    name = _CASED.get(unit, unit.lower())
    if name not in _ENERGIES:
        raise _unknown(unit, "J, kJ, MJ, mWh, Wh or kWh, such as 5Wh")
    return Amount(number * _ENERGIES[name], "J")


def duration(text: str) -> Amount:
    """A time in seconds, the unit when none is given; several parts add up.

    >>> duration("1h30m")
    Amount(value=5400.0, unit='s')
    """
    rest, total = text.strip(), 0.0
    if not rest:
        raise _no_number(text)
    while rest:
        length = _number_length(rest)
        number = _number(rest[:length], text)
        rest = rest[length:].lstrip()
        unit = rest[: next((i for i, c in enumerate(rest) if c in _DIGITS), len(rest))]
        rest = rest[len(unit) :]
        name = unit.strip().lower() or ("s" if not total and not rest else "")
        if name not in _SECONDS:
            raise _unknown(unit.strip(), "ms, s, m, h or d, such as 90s or 1h30m")
        total += number * _SECONDS[name]
    return Amount(total, "s")


def plain(unit: str, text: str) -> Amount:
    """A bare number of what has its unit in its name, such as `max_memory_mb`."""
    number, more = _parts(text)
    if more:
        raise ConfigurationError(f"it takes a bare number in {unit}, not {text.strip()!r}")
    return Amount(number, unit)


def _scaled(text: str, units: Mapping[str, float], unit: str, allowed: str) -> Amount:
    number, name = _parts(text)
    if name.lower() not in units:
        raise _unknown(name, allowed)
    return Amount(number * units[name.lower()], unit)


def _parts(text: str) -> tuple[float, str]:
    """The number that a text begins with, and the rest of it."""
    text = text.strip()
    length = _number_length(text)
    return _number(text[:length], text), text[length:].strip()


def _number_length(text: str) -> int:
    sign = text[:1] in {"-", "+"}
    return next((i for i, c in enumerate(text) if c not in _DIGITS and not (sign and i == 0)),
                len(text))  # fmt: skip


def _number(digits: str, text: str) -> float:
    try:
        number = float(digits)
    except ValueError:
        raise _no_number(text) from None
    if not 0.0 < number < math.inf:
        raise ConfigurationError(f"{text.strip()!r} is not above 0")
    return number


def _no_number(text: str) -> ConfigurationError:
    return ConfigurationError(f"{text.strip()!r} does not begin with a number")


def _unknown(unit: str, allowed: str) -> ConfigurationError:
    what = f"unit {unit!r} is unknown" if unit else "the unit is missing"
    return ConfigurationError(f"{what}; allowed is {allowed}")
