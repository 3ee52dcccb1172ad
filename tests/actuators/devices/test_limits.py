"""Limits of devices follow the shares of power and temperature, each by itself, and tell of it."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk import create_resource_manager
from amptalk.actuators.devices.contract import FLOOR
from amptalk.actuators.devices.limits import (
    LOWERED_EVERY,
    MAKERS,
    RAISED_EVERY,
    DeviceLimits,
    next_share,
)
from amptalk.actuators.kernel.contract import Hold
from amptalk.actuators.threads import ActionThreads
from amptalk.clock import VirtualClock
from amptalk.config import DEVICE_LIMITS
from amptalk.model.action import ActionReport, Verdict
from amptalk.model.errors import ConfigurationError
from tests.actuators.devices.tree import FILES, FULL, texts
from tests.actuators.kernel.machine import Fault, Machine
from tests.helpers import eventually

FILE_LIMITS = ("acpi_power", "cpufreq", "rapl")


class World:
    """The named limits on a virtual clock, led once a second."""

    def __init__(self, hold: Hold, names: tuple[str, ...] = FILE_LIMITS) -> None:
        self.clock = VirtualClock()
        self.limits = DeviceLimits(self.clock, names, "0")
        self.said = self.limits.begin(hold)
        self.threads = ActionThreads(self.clock)

    def run(self, key: str, function: Callable[[], object], deadline: float) -> object:
        return self.threads.call(key, function, deadline)

    def lead(self, share: float, seconds: int = 1) -> list[ActionReport]:
        reports = []
        for _ in range(seconds):
            now = self.clock.advance(1.0)
            if self.limits.due(share, now):
                self.limits.lead(share, now, self.run)
                eventually(lambda: not self.threads.active, "all have moved")
            reports += self.limits.reports()
        return reports


@pytest.fixture
def world(devices: Machine, hold: Hold) -> Iterator[World]:
    made = World(hold)
    yield made
    made.threads.stop(2)


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_shares_come_down_at_once_and_up_by_a_tenth_and_never_below_half(
    start: float, wanted: float
) -> None:
    now = next_share(1.0, start)
    assert FLOOR <= now <= 1.0
    then = next_share(now, wanted)
    assert FLOOR <= then <= min(1.0, now + 0.1 + 1e-9)
    assert then <= max(wanted, FLOOR) + 1e-9
    for _ in range(6):
        then = next_share(then, 1.0)
    assert then == 1.0


def test_every_name_that_may_be_given_is_made(hold: Hold) -> None:
    assert tuple(sorted(MAKERS)) == DEVICE_LIMITS
    assert all(MAKERS[name]("0").name == name for name in MAKERS)


def test_what_is_found_is_said_and_nothing_changed(devices: Machine, world: World) -> None:
    assert [text.partition(":")[0] for text in world.said] == [
        f"device limit {name} follows power and temperature" for name in FILE_LIMITS
    ]
    assert devices.log == []


def test_they_follow_down_and_back_and_are_told(devices: Machine, world: World) -> None:
    before = texts(devices)
    assert world.lead(1.0, 5) == []
    reports = world.lead(0.63)
    assert [one.verdict for one in reports] == [Verdict.WORKED] * 3
    assert all("60%: " in one.detail for one in reports)
    assert devices.text(FILES["rapl"]) == "39000000"
    assert world.lead(0.63, 30) == [], "nothing changed, nothing is told"
    assert len(world.lead(1.0, int(4 * RAISED_EVERY) + 1)) == 4 * 3
    assert texts(devices) == before


def test_each_move_must_show_before_the_next(devices: Machine, world: World) -> None:
    assert world.lead(0.9)
    assert not world.lead(0.5)
    assert world.lead(0.5, int(LOWERED_EVERY))
    assert not world.lead(1.0, int(RAISED_EVERY) - 2)
    assert world.lead(1.0)


def test_one_that_refuses_twice_is_left_and_the_others_go_on(
    devices: Machine, world: World
) -> None:
    devices.faults["power1_cap"] = Fault(errno.EBUSY)
    first, second, third = (world.lead(share, 3) for share in (0.9, 0.8, 0.7))
    assert [len(reports) for reports in (first, second, third)] == [3, 3, 2]
    denied = [one for one in second if one.verdict is Verdict.DENIED]
    assert [one.action for one in denied] == ["acpi_power"]
    assert "refused 2 times, so it is not tried again" in denied[0].detail
    assert int(devices.text(FILES["rapl"])) < FULL["rapl"]


def test_one_that_hangs_holds_no_other_up(devices: Machine, world: World) -> None:
    answer = threading.Event()
    devices.faults["power1_cap"] = Fault(hangs=answer)
    try:
        world.limits.lead(0.6, world.clock.advance(1.0), world.run)
        eventually(lambda: len(texts_lowered(devices)) >= 3, "clocks and processor are lowered")
    finally:
        answer.set()


def texts_lowered(machine: Machine) -> list[str]:
    return [path for path, _ in machine.log if path.startswith("sys/")]


def test_what_somebody_else_changes_is_told_once_and_left(devices: Machine, world: World) -> None:
    world.lead(0.6)
    devices.put(FILES["rapl"], "64000000\n")
    world.limits.check()
    world.limits.check()
    (report,) = world.limits.reports()
    assert (report.action, report.verdict) == ("rapl", Verdict.NO_EFFECT)
    world.lead(0.5, 5)
    assert devices.text(FILES["rapl"]) == "64000000"


def test_without_the_device_the_reason_is_said(machine: Machine, hold: Hold) -> None:
    world = World(hold)
    assert [text.partition(":")[0] for text in world.said] == [
        f"device limit {name} cannot be set" for name in FILE_LIMITS
    ]
    assert not world.limits.found
    assert not world.limits.due(0.5, 1e9)


@pytest.mark.parametrize(
    ("given", "handling", "said"),
    [
        (["cpufrq"], "enforce", "did you mean 'cpufreq'"),
        (["fans"], "enforce", "is unknown: use one of"),
        (["cpufreq"], "degrade", "only 'enforce' sets limits of devices"),
        ("cpufreq", "enforce", r"give a list, \['cpufreq'\]"),
    ],
)
def test_names_are_checked(given: list[str], handling: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        create_resource_manager(max_power_watts=10, handling=handling, device_limits=given)


def test_nothing_is_named_by_itself() -> None:
    manager = create_resource_manager(max_power_watts=10, handling="enforce")
    assert any("none is set unless it is named" in text for text in manager.notices())
    manager = create_resource_manager(
        max_power_watts=10, handling="enforce", device_limits=["rapl"], scope="device"
    )
    assert not any("named" in text for text in manager.notices())
