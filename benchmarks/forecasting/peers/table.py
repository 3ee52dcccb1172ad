"""All peers that are replayed sample by sample. Adding one is a class and a line here."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

from benchmarks.forecasting.peers.autoregressive import ArRls
from benchmarks.forecasting.peers.packages import RiverHoltWinters, RiverSnarimax
from benchmarks.forecasting.peers.peer import Peer, Setting
from benchmarks.forecasting.peers.percentile import VpaPercentile
from benchmarks.forecasting.peers.simple import (
    DampedHolt,
    Ewma,
    LastValue,
    PredictLinear,
    SeasonalNaive,
)

LAST_VALUE = "last value"
LINE = "predict_linear w=12"
AUTO_ETS = "statsforecast AutoETS"

_OWN_CODE: dict[str, Callable[[Setting], Peer]] = {
    LAST_VALUE: lambda _: LastValue(),
    "seasonal naive": lambda setting: SeasonalNaive(setting.period),
    "EWMA 0.5": lambda _: Ewma(),
    "damped Holt": lambda _: DampedHolt(),
    "AR(8) RLS": lambda _: ArRls(),
    LINE: lambda _: PredictLinear(12),
    "predict_linear w=30": lambda _: PredictLinear(30),
    "VPA p90 + 15 %": lambda setting: VpaPercentile(setting.step),
}
_OF_RIVER: dict[str, Callable[[Setting], Peer]] = {
    "river SNARIMAX(8,1,0)": lambda _: RiverSnarimax(),
    "river HoltWinters": lambda _: RiverHoltWinters(),
}


def peers() -> dict[str, Callable[[Setting], Peer]]:
    """By name, those that can run here."""
    return _OWN_CODE | (_OF_RIVER if find_spec("river") else {})


def left_out() -> list[str]:
    """One sentence for each package that is not here."""
    return [
        f"{package} is not installed: {', '.join(names)} left out (pip install 'amptalk[bench]')"
        for package, names in (("river", _OF_RIVER), ("statsforecast", (AUTO_ETS,)))
        if not find_spec(package)
    ]


def has_auto_ets() -> bool:
    """Whether AutoETS can run here."""
    return find_spec("statsforecast") is not None
