"""One verdict: is the machine slower than it could be, since when, and why.

Covers heat, power caps, under-voltage, capped frequencies, the CPU quota of the control group,
memory pressure and swapping, at the 5 s cadence (2 s on a Raspberry Pi). `verdict` is pure; what
the hardware says comes from `throttling_readers` by the slow thread, the rest from the sample
(memory: `thrashing`). A cause stays until it was not seen for 10 s, because most are short and some
flags are cleared by the kernel between two readings; `occurred` keeps it for good.

False means that no cause was seen among those that can be seen here; `unknown` lists the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf, isnan
from typing import NamedTuple

from amptalk.model.sample import INDEX, Sample
from amptalk.sensors.files import SensorFault
from amptalk.sensors.in_parts import Ask, InParts
from amptalk.sensors.report import SensorReport
from amptalk.sensors.roots import Roots
from amptalk.sensors.slow import SlowReader
from amptalk.sensors.thrashing import memory_findings
from amptalk.sensors.throttling_pi import EVERY, Flags, VoltageAlarm
from amptalk.sensors.throttling_readers import (
    NOTHING,
    Coolers,
    Finding,
    Frequencies,
    OverCurrent,
    ProcessorCounters,
    Reader,
)

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
    occurred: tuple[str, ...] = ()
    """Causes seen since the start, present ones too, in the order in which they were first seen."""


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
    earlier = () if before is None else before.occurred
    occurred = tuple(dict.fromkeys((*earlier, *kept)))
    return Throttling(slower, since, reasons, unknown, occurred), kept


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


def _unseen(causes: Iterable[str], fault: SensorFault) -> list[Finding]:
    return [Finding(cause, seen=False, text=fault.reason) for cause in causes]


class ThrottlingSource:
    """Keeps the verdict of one machine up to date; the hardware is read on the slow thread."""

    def __init__(self, roots: Roots, slow: SlowReader) -> None:
        pi = Flags(roots), VoltageAlarm(roots)
        self._pi = pi
        self._readers: tuple[Reader, ...] = (
            *(ProcessorCounters(roots), *pi),
            *(OverCurrent(roots), Coolers(roots), Frequencies(roots)),
        )
        self._search_due = True
        self._held: dict[str, Known] = {}
        self._findings: list[Finding] = []
        self.fresh = False
        """True when the hardware was read since the last verdict."""
        self.verdict = Throttling(None, None, (), ("everything: not read yet",))
        self._miss(SensorFault("not read yet"))
        self._parts = InParts(slow, "throttling", self._read, self._take, self._miss)

    def discover(self) -> None:
        """Look for flags and counters anew, and read (every 60 s)."""
        self._search_due = True
        self._parts.hurry()

    def _read(self, ask: Ask) -> list[Finding]:
        """Do one pass, on the slow thread."""
        search, self._search_due = self._search_due, False
        findings: list[Finding] = []
        for reader in self._readers:
            try:
                if search or reader.gone:
                    ask(reader.name, reader.discover)
                findings += ask(reader.name, reader.read)
            except SensorFault as fault:
                findings += _unseen(reader.causes, fault)
        return findings

    def _take(self, findings: list[Finding], _at: float) -> None:
        self._parts.pace(idle=all(one.text == NOTHING for one in findings))
        if any(one.there for one in self._pi):
            self._parts.every = EVERY
        self._findings, self.fresh = findings, True

    def _miss(self, fault: SensorFault) -> None:
        causes = dict.fromkeys(cause for reader in self._readers for cause in reader.causes)
        self._findings = _unseen(causes, fault)
        self.fresh = True

    def renew(self, sample: Sample, quota_cores: float, of_gpu: Iterable[Finding] = ()) -> None:
        """Judge the hardware's flags and counters, as last read, with the sample and the GPU."""
        findings = [one for one in self._findings if self.fresh or not one.seen]
        findings += (*of_sample(sample, quota_cores), *of_gpu)
        self.fresh = False
        now, time = sample.monotonic, sample.time
        self.verdict, self._held = verdict(self.verdict, self._held, findings, now, time)

    def report(self) -> SensorReport:
        """Say the verdict as a row of the report."""
        slower, _since, reasons, unknown, occurred = self.verdict
        text = "; ".join(reasons) if slower else "not slower than it could be"
        if unknown:
            text += f" (cannot be seen here: {', '.join(one.partition(':')[0] for one in unknown)})"
        if occurred and not slower:
            text += f"; since the start it was, by {', '.join(occurred)}"
        return SensorReport(
            "throttling", (), "" if slower is None else text,
            "flags and counters of the processor, GPU, control group, pressure, swapping",
            self._parts.cost_us, "; ".join(unknown) if slower is None else "", "",
        )  # fmt: skip
