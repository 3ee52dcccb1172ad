"""Values and costs in words and numbers, for the report of a suite."""

from __future__ import annotations

import time
from math import inf, isnan

from amptalk.model.sample import FIELDS, INDEX
from amptalk.sensors.files import KeptFile, SensorFault

_SUFFIXES = ("_mb_s", "_mb", "_percent", "_cores", "_watts", "_celsius")
"""Units at the end of a field's name."""


def value_text(row: tuple[float, ...], fields: tuple[str, ...]) -> str:
    """Those fields of a sample's row that have a value, with names and units."""
    return ", ".join(
        _told(name.partition(".")[2], row[INDEX[name]], FIELDS[INDEX[name]].unit)
        for name in fields
        if not isnan(row[INDEX[name]])
    )


def _told(name: str, value: float, unit: str) -> str:
    """A value in words: its unit is not said twice, and no limit is `none`, not infinite."""
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    name = name.replace("_", " ")
    if value == inf:
        return f"{name} none"
    if unit == "1":
        return f"{name} {value:.0f}" if value.is_integer() else f"{name} {value:.1f}"
    return f"{name} {value:.1f} {unit}"


def cost_us(paths: tuple[str, ...]) -> float:
    """CPU time of reading files once with kept descriptors, in microseconds."""
    cost = 0.0
    for path in paths:
        file = KeptFile(path, 65536)
        try:
            file.read()
            begun = time.thread_time()
            file.read()
            cost += time.thread_time() - begun
        except SensorFault:
            continue
        finally:
            file.close()
    return cost * 1e6
