"""Named limits of devices under `enforce`: with any limits, also alone, and undone at the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from amptalk.actuators.devices.limits import DeviceLimits
from amptalk.actuators.enforcement import Enforcement
from amptalk.actuators.guardian.guardian import GuardianProcess
from amptalk.clock import VirtualClock
from amptalk.model.action import Verdict
from amptalk.model.errors import ActionError
from amptalk.model.resource import POWER, Resource
from amptalk.sensors.identity import Identity
from tests.actuators.devices.tree import FILES, texts
from tests.actuators.kernel.machine import PID, Machine
from tests.actuators.support import decision


def unguarded(owner: Identity, folder: str) -> GuardianProcess:
    raise ActionError("no guardian here")


def enforcement(
    machine: Machine, path: Path, clock: VirtualClock, limits: tuple[tuple[Resource, float], ...]
) -> Enforcement:
    made = Enforcement(
        clock, limits, cores=lambda: 4.0, exclude=lambda _pid: None,
        devices=DeviceLimits(clock, ("rapl", "cpufreq"), "0"), guardian=unguarded,
        roots=machine.roots, pid=PID, folder=str(path / "run"),
    )  # fmt: skip
    made.wanted = True
    return made


@pytest.mark.parametrize("limits", [(), ((POWER, 20.0),)], ids=["alone", "with a limit"])
def test_they_follow_the_decision_and_are_put_back(
    devices: Machine, tmp_path: Path, limits: tuple[tuple[Resource, float], ...]
) -> None:
    before, clock = texts(devices), VirtualClock()
    made = enforcement(devices, tmp_path, clock, limits)
    made.begin()
    assert {"power", "temperature"} <= made.held
    assert made.holds("power")
    assert texts(devices) == before

    def tick(seconds: float, **shares: float) -> None:
        now = clock.advance(seconds)
        made.tick(now, decision(**shares), lambda _key, function, _deadline: function())

    tick(1.0, power=0.5, memory=0.1)
    assert devices.text(FILES["rapl"]) == "33000000"
    reports = [one for one in made.reports() if one.action in {"rapl", "cpufreq"}]
    assert [one.verdict for one in reports] == [Verdict.WORKED] * 2
    tick(1.0, power=0.5)
    assert not [one for one in made.reports() if one.action in {"rapl", "cpufreq"}]
    made.end()
    assert texts(devices) == before
    assert not made.held


def test_the_next_start_undoes_what_an_ended_owner_left(devices: Machine, tmp_path: Path) -> None:
    before, clock = texts(devices), VirtualClock()
    first = enforcement(devices, tmp_path, clock, ())
    first.begin()
    now = clock.advance(1.0)
    first.tick(now, decision(temperature=0.5), lambda _key, function, _deadline: function())
    assert texts(devices) != before
    first.forget()  # as its process ends with all it knew
    devices.end(PID)
    devices.process(PID, 2000)
    second = enforcement(devices, tmp_path, clock, ())
    second.begin()
    assert texts(devices) == before
    assert any("undone what was left behind" in text for text in second.sentences())
    second.end()
