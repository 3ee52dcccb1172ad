"""No fault of any file makes a sample fail, stall, or carry a number that is not so.

For each made-up machine, each file that the sensors open and each fault: a value is either what
the healthy machine shows, or missing for a reason that names the file, or that of another source
that may stand in for it; every other value is untouched; and when the file is well again, so is
the sample. Reads are counted instead of timed: a fault must not multiply them. What is common to
all machines is tried on one of them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from amptalk.sensors import processes
from amptalk.sensors import suite as suite_module
from tests.sensors.faults.bench import Bench
from tests.sensors.faults.disk import Disk
from tests.sensors.faults.machines import MACHINES

ALIKE = "EAGAIN", "ENODEV", "EINVAL", "ENOTSUP", "cut off after 10 %", "cut off after 70 %"
"""Faults that differ from others only in what was there before."""


@pytest.fixture(params=MACHINES)
def bench(
    request: pytest.FixtureRequest, tmp_path: Path, in_the_way: Callable[[Disk], Disk],
    monkeypatch: pytest.MonkeyPatch,
) -> Bench:  # fmt: skip
    monkeypatch.setattr(processes, "_HURRY", 0.0)  # time is virtual, the cost of work is not
    monkeypatch.setattr(suite_module, "_SLOW", 15.0)  # looked for anew in every third round
    machine = MACHINES[str(request.param)]()
    return Bench(machine, in_the_way(Disk(tmp_path, machine.files, machine.links)))


def test_no_fault_of_any_file_spoils_a_sample(bench: Bench) -> None:
    with bench.suite() as suite:
        bench.recovers(suite)
        for path, fault in bench.every_fault():
            with fault():
                for turn, seconds in enumerate((1, 5, 5, 5, 5)):
                    bench.check(suite, path, seconds, last=turn == 4)
            bench.recovers(suite)
    assert not bench.report(), bench.report()


def test_no_fault_that_is_there_from_the_start_spoils_a_sample(bench: Bench) -> None:
    for path, fault in bench.every_fault(but=ALIKE):
        with fault():
            bench.starts(path)
    assert not bench.report(), bench.report()
