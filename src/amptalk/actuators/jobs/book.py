"""What is known of each named job, and how it is written down.

Not thread-safe: the gate holds its lock. Measuring is the business of `watch`, one
quantity's learning that of `cost_model`, the file that of `learned_file`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from amptalk.actuators.jobs.attribution import Known
from amptalk.actuators.jobs.cost_curves import Estimate
from amptalk.actuators.jobs.cost_model import CostModel
from amptalk.actuators.jobs.evidence import Run
from amptalk.actuators.jobs.watch import FLOWS, QUANTITIES, RESOLUTION, RunCost
from amptalk.model.errors import ConfigurationError

KEPT_NAMES = 256
"""Names remembered; the one not used for longest is dropped first."""
_RESERVED = ("memory", "gpu_memory")


class JobCost(NamedTuple):
    """What one more run of a named job is expected to take; `None` where nothing is known."""

    runs: int
    """Runs so far that ended."""
    size: float
    """Declared size that this is for: the one asked for, else the median of those seen; `nan`
    when none was declared."""
    memory_mb: Estimate | None
    """Rise of memory above what was used before it."""
    gpu_memory_mb: Estimate | None
    cpu_seconds: Estimate | None
    joules: Estimate | None
    """Of the whole device in its time, shared out among the jobs that overlapped."""
    seconds: Estimate | None
    """How long it runs."""


class _Record:
    __slots__ = ("models", "runs", "warm")

    def __init__(self) -> None:
        self.runs = 0
        self.warm = False
        """True when it has run in this process."""
        self.models: dict[str, CostModel] = {}

    def estimate(self, quantity: str, size: float) -> Estimate | None:
        model = self.models.get(quantity)
        return model.estimate(size, first=not self.warm) if model is not None else None

    def add(self, size: float, run: RunCost) -> None:
        """Take one run. Work waits for what it holds: that is told at once."""
        self.runs += 1
        costs = {**run.costs, "seconds": run.seconds}
        for quantity, cost in costs.items():
            unsure = run.unsure.get(quantity, 0.0)
            kept = run.kept.get(quantity, 0.0)
            model = self.models.setdefault(quantity, _model(quantity))
            one = Run(size, cost, unsure, not self.warm, kept)
            model.add(one, at_once=quantity in _RESERVED)
        self.warm = True


class JobBook:
    """Costs of jobs by name."""

    def __init__(self) -> None:
        self._records: dict[str, _Record] = {}
        self.changes = 0
        """Grows with every run that is learned from."""
        self._due: set[CostModel] = set()
        """Whose curve should be drawn again."""

    def add(self, job: str, size: float, run: RunCost) -> None:
        """Take one run; `size` is `nan` when none was declared."""
        record = self._records.pop(job, None) or _Record()
        self._records[job] = record
        while len(self._records) > KEPT_NAMES:
            del self._records[next(iter(self._records))]
        record.add(size, run)
        self.changes += 1
        self._due.update(model for model in record.models.values() if model.due)

    def redraw(self) -> None:
        """Draw one curve that is due, if any is, where no work waits for it."""
        if self._due:
            model = self._due.pop()
            if model.due:
                model.redraw()

    def reserves(self, job: str, size: float) -> dict[str, float]:
        """Amounts of held resources to admit a run with; empty when unknown."""
        return {name: one.reserve for name, one in self._held(job, size).items()}

    def holds(self, job: str, size: float) -> dict[str, float]:
        """What a run is expected to hold at its peak, its 95th percentile; empty when unknown."""
        return {name: one.p95 for name, one in self._held(job, size).items()}

    def cores(self, job: str, size: float) -> float:
        """How many cores a run keeps busy on average; `nan` when unknown."""
        record = self._records.get(job)
        if record is None:
            return math.nan
        cpu, lasts = record.estimate("cpu_seconds", size), record.estimate("seconds", size)
        if cpu is None or lasts is None or not lasts.p95 > 0.0:
            return math.nan
        return cpu.p95 / lasts.p95

    def _held(self, job: str, size: float) -> dict[str, Estimate]:
        record = self._records.get(job)
        if record is None:
            return {}
        known = {quantity: record.estimate(quantity, size) for quantity in _RESERVED}
        return {quantity: one for quantity, one in known.items() if one is not None}

    def seconds(self, job: str, size: float) -> float:
        """How long a run is expected to last at most; `nan` when unknown."""
        record = self._records.get(job)
        estimate = record.estimate("seconds", size) if record is not None else None
        return estimate.p95 if estimate is not None else math.nan

    def expected(self, job: str, size: float) -> dict[str, Known]:
        """What overlapping runs are shared out by; of flows the rate a second."""
        record = self._records.get(job)
        if record is None:
            return {}
        lasts = self.seconds(job, size)
        found = {}
        for quantity in QUANTITIES:
            one = record.estimate(quantity, size)
            if one is None:
                continue
            scale = 1.0 / max(lasts, 1e-3) if quantity in FLOWS else 1.0
            deviation = 0.5 * (one.high - one.low) + 0.01 * one.p95
            found[quantity] = Known(one.p95 * scale, (deviation * scale) ** 2 + 1e-12)
        return found

    def table(self, size: float = math.nan) -> dict[str, JobCost]:
        """Everything that was learned, by name, for runs of one size."""
        table = {}
        for job, record in self._records.items():
            sizes = sorted(run.size for run in record.models["seconds"].known() if run.size > 0.0)
            asked = size if size > 0.0 or not sizes else sizes[len(sizes) // 2]
            quantities = (*QUANTITIES, "seconds")
            known = (record.estimate(quantity, asked) for quantity in quantities)
            table[job] = JobCost(record.runs, asked if sizes else math.nan, *known)
        return table

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain data for a file; see `take`."""
        return {
            job: {
                "runs": record.runs,
                "costs": {
                    quantity: [
                        [None if math.isnan(run.size) else run.size, *run[1:]]
                        for run in model.known()
                    ]
                    for quantity, model in record.models.items()
                },
            }
            for job, record in self._records.items()
        }

    def take(self, data: Mapping[str, Any]) -> None:
        """Begin with what `as_dict` gave. Raises `ConfigurationError` for anything else."""
        records: dict[str, _Record] = {}
        try:
            for job, entry in list(data.items())[-KEPT_NAMES:]:
                record = records[str(job)] = _Record()
                record.runs = int(entry["runs"])
                for quantity, runs in entry["costs"].items():
                    if quantity in (*QUANTITIES, "seconds"):
                        record.models[quantity] = _model(quantity, [_run(*run) for run in runs])
                record.models.setdefault("seconds", _model("seconds"))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ConfigurationError(
                f"what was learned of jobs is not as this version writes it: {error!r}"
            ) from error
        self._records = records


def _model(quantity: str, runs: Sequence[Run] = ()) -> CostModel:
    return CostModel(runs, RESOLUTION[quantity])


def _run(size: float | None, cost: float, unsure: float, first: bool, kept: float) -> Run:  # noqa: FBT001 - as in the file
    if not all(number >= 0.0 and math.isfinite(number) for number in (cost, unsure, kept)):
        raise ValueError(f"a cost of {cost!r}, unsure by {unsure!r}, of which {kept!r} was kept")
    return Run(math.nan if size is None else float(size), cost, unsure, bool(first), kept)
