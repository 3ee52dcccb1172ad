"""Traces: read from a folder of two-column CSV files, or the project's own."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.forecasting.protocol import HORIZON, LONGEST, Array, first_scored

OWN = Path(__file__).resolve().parents[1] / "traces"
"""Recordings of the project, made by `record`."""
DAY = 86_400.0
_SLOW = 30.0
_ALIKE = 0.3
"""Autocorrelation from which a period counts."""


class Trace(NamedTuple):
    """One series as it was sampled."""

    name: str
    unit: str
    seconds: Array
    values: Array
    generated: bool = False

    @property
    def step(self) -> float:
        """Usual seconds between samples."""
        return float(np.median(np.diff(self.seconds)))

    @property
    def slow(self) -> bool:
        """Sampled at 1 min or slower, rather than about each second."""
        return self.step >= _SLOW

    @property
    def has_days(self) -> bool:
        """Minutes over at least four days: a day's pattern can be learned in the warm-up."""
        return self.slow and self.step <= 120.0 and float(self.seconds[-1]) >= 3.9 * DAY

    def shortened(self) -> Trace:
        """The first samples, as many as the protocol takes."""
        return self._replace(seconds=self.seconds[:LONGEST], values=self.values[:LONGEST])

    def period(self) -> int:
        """Samples of the season that shows in the warm-up, for methods that must be told; 0: none.

        The highest peak of the autocorrelation, of at least 0.3; without one a day, when two fit.
        """
        early = self.values[: first_scored(len(self.values))]
        alike = _autocorrelation(early)
        found = [
            lag
            for lag in range(HORIZON + 2, len(early) // 2)
            if alike[lag] >= _ALIKE
            and alike[lag] == alike[max(0, lag - 10) : lag + 11].max()
            and alike[lag] > alike[HORIZON:lag].min() + 0.15
        ]
        if found:
            return max(found, key=lambda lag: float(alike[lag]))
        day = round(DAY / self.step)
        return day if 4 <= day <= len(early) // 2 else 0


def load(folder: Path) -> list[Trace]:
    """Every CSV file of a folder: a header, then seconds and value; its second header is the unit.

    Raises `SystemExit` with a sentence for a folder without such files and for a file that is
    something else, too short, or not in order of time.
    """
    paths = sorted(folder.glob("*.csv"))
    if not paths:
        raise SystemExit(f"no .csv file in {folder}: give a folder of files with seconds,value")
    return [_read(path) for path in paths]


def _read(path: Path) -> Trace:
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    try:
        rows = np.array([line.split(",") for line in lines if line], dtype=np.float64)
        seconds, values = rows.T
        _, unit = header.split(",")
    except ValueError as error:
        raise SystemExit(f"{path} is not a header and lines of seconds,value: {error}") from error
    if len(rows) < 10 * HORIZON:
        raise SystemExit(f"{path} has {len(rows)} samples: give at least {10 * HORIZON}")
    if not np.isfinite(rows).all() or (np.diff(seconds) < 0.0).any():
        raise SystemExit(f"{path}: seconds must not go back and all numbers must be finite")
    return Trace(path.stem, unit.strip(), seconds - seconds[0], values)


def _autocorrelation(values: Array) -> Array:
    """By lag, 1 at lag 0; zeros for a constant series."""
    centred = values - values.mean()
    spectrum = np.fft.rfft(centred, 2 * len(centred))
    products: Array = np.fft.irfft(spectrum * spectrum.conj())[: len(centred)]
    return products / products[0] if products[0] > 0.0 else np.zeros(len(centred))
