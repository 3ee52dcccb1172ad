"""What named jobs cost, learned from their last runs: peak of memory and duration.

Pure. A peak is taken only from runs that were alone and were seen by at least one
sample; a run too short to be sampled says nothing of memory.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

KEPT_RUNS = 20
KEPT_NAMES = 256
"""Names remembered; the one not used for longest is dropped first."""
QUANTILE = 0.95


class JobCost(NamedTuple):
    """What is known of one named job."""

    runs: int
    """Runs so far."""
    memory_mb: float
    """95th percentile of the peak above the memory in use before it; `nan` when unknown."""
    gpu_memory_mb: float
    seconds: float
    """Median duration of the last runs; `nan` before the first ended."""


class _Record:
    __slots__ = ("peaks", "runs", "seconds")

    def __init__(self) -> None:
        self.runs = 0
        self.seconds: deque[float] = deque(maxlen=KEPT_RUNS)
        self.peaks: dict[str, deque[float]] = {}


class JobCosts:
    """Costs by name. Not thread-safe; the gate holds its lock."""

    def __init__(self) -> None:
        self._records: dict[str, _Record] = {}

    def add(self, job: str, seconds: float, peaks: Mapping[str, float]) -> None:
        """Take one run that lasted `seconds`; `peaks` by resource may be empty."""
        record = self._records.pop(job, None) or _Record()
        self._records[job] = record
        while len(self._records) > KEPT_NAMES:
            del self._records[next(iter(self._records))]
        record.runs += 1
        record.seconds.append(seconds)
        for resource, peak in peaks.items():
            record.peaks.setdefault(resource, deque(maxlen=KEPT_RUNS)).append(max(0.0, peak))

    def expected(self, job: str) -> dict[str, float]:
        """Amounts by resource to admit the job with: nearest-rank 95th percentile of its peaks.

        With fewer than 20 runs that is the largest peak seen. Empty when unknown.
        """
        record = self._records.get(job)
        if record is None:
            return {}
        return {resource: _quantile(peaks) for resource, peaks in record.peaks.items()}

    def table(self) -> dict[str, JobCost]:
        """Everything that was learned, by name."""
        table = {}
        for job, record in self._records.items():
            expected = self.expected(job)
            seconds = sorted(record.seconds)
            table[job] = JobCost(
                record.runs,
                expected.get("memory", math.nan),
                expected.get("gpu_memory", math.nan),
                seconds[len(seconds) // 2] if seconds else math.nan,
            )
        return table


def _quantile(values: deque[float]) -> float:
    ordered = sorted(values)
    return ordered[math.ceil(QUANTILE * len(ordered)) - 1]
