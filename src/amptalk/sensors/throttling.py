"""One verdict: is the machine slower than it could be, since when, and why.

Covers heat, power caps, under-voltage, capped frequencies, the CPU quota of the control group,
memory pressure and swapping, at the 5 s cadence. `verdict` is pure; what the hardware says comes
from `throttling_readers`, the rest from the sample (memory: `thrashing`). A cause stays until it
was not seen for 10 s, because most are short and some flags are cleared by the kernel between two
readings.

False means that no cause was seen among those that can be seen here; `unknown` lists the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf, isnan
from typing import NamedTuple

from amptalk.model.sample import INDEX, Sample
from amptalk.sensors.report import SensorReport
from amptalk.sensors.roots import Roots
from amptalk.sensors.thrashing import memory_findings
from amptalk.sensors.throttling_readers import Finding, readers

QUOTA_PERCENT = 1.0
"""Share of time held back by the quota that counts."""
HOLD = 10.0
"""Seconds that a cause is kept after it was last seen: two readings."""
_QUOTA = "container.throttled_percent"


class Throttling(NamedTuple):
    """Whether the machine is slower than it could be."""

    slower: bool | None
    """`None` when no cause at all can be seen here."""
    since: float | None
    """Seconds since the epoch of the reading that first showed it; `None` when not slower."""
    reasons: tuple[str, ...]
    """Why, each as `cause: what was seen`."""
    unknown: tuple[str, ...]
    """Causes that cannot be seen here, each as `cause: why not`."""


class Known(NamedTuple):
    """A cause that was seen, and when."""

    text: str
    seen: float
    """Monotonic seconds of the latest sight."""


def verdict(
    before: Throttling | None,
    held: Mapping[str, Known],
    findings: Iterable[Finding],
    now: float,
    time: float,
) -> tuple[Throttling, dict[str, Known]]:
    """Judge what was found now together with what was seen in the last 10 s.

    Of several findings for one cause, one that saw it counts before one that knows it is not
    there, and that before one that cannot tell.
    """
    kept = {cause: one for cause, one in held.items() if now - one.seen < HOLD}
    clear: set[str] = set()
    unseen: dict[str, str] = {}
    for finding in findings:
        if finding.seen:
            kept[finding.cause] = Known(finding.text, now)
        elif finding.text:
            unseen.setdefault(finding.cause, finding.text)
        else:
            clear.add(finding.cause)
    unknown = tuple(
        f"{cause}: {why}"
        for cause, why in unseen.items()
        if cause not in clear and cause not in kept
    )
    reasons = tuple(f"{cause}: {one.text}" for cause, one in kept.items())
    slower = True if reasons else (False if clear else None)
    since = None
    if slower:
        since = before.since if before is not None and before.slower else time
    return Throttling(slower, since, reasons, unknown), kept


def of_sample(sample: Sample, quota_cores: float) -> tuple[Finding, ...]:
    """What a sample says of quota, memory pressure and swapping; `quota_cores` may be `inf`."""
    row, missing = sample.row, sample.missing
    percent = 0.0 if quota_cores == inf else row[INDEX[_QUOTA]]
    seen = percent >= QUOTA_PERCENT
    if isnan(percent):
        text = missing.get(_QUOTA, "it has no value")
    elif seen:
        text = f"a quota of {quota_cores:g} cores held it back {percent:.0f} % of the time"
    else:
        text = ""
    return (Finding("cgroup quota", seen=seen, text=text), *memory_findings(sample))


class ThrottlingSource:
    """Keeps the verdict of one machine up to date."""

    def __init__(self, roots: Roots) -> None:
        self._readers = readers(roots)
        self._held: dict[str, Known] = {}
        self.verdict = Throttling(None, None, (), ("everything: not read yet",))
        self.discover()
        for reader in self._readers:
            reader.read()  # counters tell by their difference

    def discover(self) -> None:
        """Look for flags and counters anew (at start and every 60 s)."""
        for reader in self._readers:
            reader.discover()

    def renew(self, sample: Sample, quota_cores: float, of_gpu: Iterable[Finding] = ()) -> None:
        """Read the hardware's flags and counters and judge them with the sample and the GPU."""
        findings = [finding for reader in self._readers for finding in reader.read()]
        findings += (*of_sample(sample, quota_cores), *of_gpu)
        now, time = sample.monotonic, sample.time
        self.verdict, self._held = verdict(self.verdict, self._held, findings, now, time)

    def report(self) -> SensorReport:
        """Say the verdict as a row of the report."""
        slower, _since, reasons, unknown = self.verdict
        text = "; ".join(reasons) if slower else "not slower than it could be"
        if unknown:
            text += f" (cannot be seen here: {', '.join(one.partition(':')[0] for one in unknown)})"
        return SensorReport(
            "throttling", (), "" if slower is None else text,
            "flags and counters of the processor, GPU, control group, pressure, swapping", 0.0,
            "; ".join(unknown) if slower is None else "", "",
        )  # fmt: skip
