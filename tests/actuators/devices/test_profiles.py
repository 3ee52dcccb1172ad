"""The hold on the power profile, on a real bus: read back, taken back however we end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from amptalk.actuators.devices import profiles
from amptalk.actuators.devices.limits import DeviceLimits
from amptalk.actuators.devices.profiles import PowerProfile
from amptalk.actuators.kernel.contract import Hold
from amptalk.clock import VirtualClock
from amptalk.model.action import ActionReport, Verdict
from amptalk.model.errors import ActionError
from tests.actuators.devices.profile_bus import NEW, OLD, ProfileBus, without_bus
from tests.actuators.devices.tree import journal_is_empty
from tests.helpers import environment, eventually

pytestmark = without_bus
OURS = [("power-saver", "amptalk")]


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProfileBus]:
    made = ProfileBus(tmp_path)
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", made.address)
    yield made
    made.end()


@pytest.fixture
def limit() -> Iterator[PowerProfile]:
    made = PowerProfile()
    yield made
    made.end()


@contextmanager
def impatient() -> Iterator[None]:
    """Wait 0.3 s for an answer that does not come."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(profiles, "ANSWER", 0.3)
        yield


def test_it_is_held_from_the_first_step_to_the_last_and_put_back(
    bus: ProfileBus, limit: PowerProfile, hold: Hold, tmp_path: Path
) -> None:
    bus.daemon()
    assert limit.begin(hold) == "power-saver of power-saver, balanced; balanced applies now"
    assert bus.holds() == []
    for share in (0.9, 0.5, 0.8):
        assert limit.follow(share) == "power-saver is held"
        assert (bus.holds(), bus.active()) == (OURS, "power-saver")
        assert limit.lost() == ""
    assert limit.follow(1.0) == "released, balanced applies"
    assert (bus.holds(), bus.active()) == ([], "balanced")
    assert limit.follow(1.0) == "as before"
    assert journal_is_empty(tmp_path / "run"), "nothing of it outlives us"


@pytest.mark.parametrize("names", [[OLD], [NEW, OLD]], ids=["older", "both"])
def test_either_name_of_the_daemon_will_do(
    bus: ProfileBus, limit: PowerProfile, hold: Hold, names: list[str]
) -> None:
    bus.daemon(names=names)
    limit.begin(hold)
    limit.follow(0.5)
    assert bus.holds(names[0]) == OURS


def test_a_hold_of_others_stays(bus: ProfileBus, limit: PowerProfile, hold: Hold) -> None:
    bus.daemon()
    other = PowerProfile()
    for one in (limit, other):
        one.begin(hold)
        one.follow(0.5)
    assert bus.holds() == OURS * 2
    other.end()
    eventually(lambda: bus.holds() == OURS, "one of them is left")
    assert limit.lost() == ""


def test_who_chooses_a_profile_has_it_and_it_is_told(
    bus: ProfileBus, limit: PowerProfile, hold: Hold
) -> None:
    bus.daemon()
    limit.begin(hold)
    limit.follow(0.5)
    bus.choose("balanced")
    assert "'balanced' applies: it was chosen by somebody" in limit.lost()
    assert limit.follow(1.0) == "as before"
    assert bus.active() == "balanced"


def test_without_a_bus_or_a_daemon_or_the_profile_it_says_so(
    bus: ProfileBus, limit: PowerProfile, hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ActionError, match="does not run, and it is not started from here"):
        limit.begin(hold)
    bus.daemon(profiles=["balanced", "performance"])
    with pytest.raises(ActionError, match="no profile power-saver here, only balanced, perf"):
        limit.begin(hold)
    for address in ("unix:path=/nowhere/bus", "tcp:host=127.0.0.1,port=1"):
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        with pytest.raises(ActionError, match="the system bus"):
            limit.begin(hold)
    with pytest.raises(ActionError, match="no daemon was found"):
        limit.follow(0.5)


def test_without_the_package_it_names_the_extra(
    limit: PowerProfile, hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jeepney", None)
    with pytest.raises(ActionError, match=r"pip install 'amptalk\[dbus\]'"):
        limit.begin(hold)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"refuse": "org.freedesktop.DBus.Error.AccessDenied"}, "AccessDenied: so it is told"),
        ({"lies": True}, "the hold on power-saver is gone"),
        ({"deaf": True}, "'balanced' applies although power-saver is held"),
    ],
    ids=lambda value: str(value)[:12],
)
def test_what_is_refused_or_holds_nothing_is_not_kept(
    bus: ProfileBus, limit: PowerProfile, hold: Hold, told: dict[str, Any], said: str
) -> None:
    bus.daemon(**told)
    limit.begin(hold)
    with pytest.raises(ActionError, match=said):
        limit.follow(0.5)
    eventually(lambda: bus.holds() == [], "nothing is held")


def test_a_release_that_releases_nothing_is_told_and_ends_with_the_connection(
    bus: ProfileBus, limit: PowerProfile, hold: Hold
) -> None:
    bus.daemon(keeps=True)
    limit.begin(hold)
    limit.follow(0.5)
    with pytest.raises(ActionError, match="stands although it was released"):
        limit.follow(1.0)
    eventually(lambda: bus.holds() == [], "the connection was closed")


def test_answers_that_make_no_sense_are_told(
    bus: ProfileBus, limit: PowerProfile, hold: Hold
) -> None:
    bus.daemon(says="nonsense")
    with pytest.raises(ActionError, match="says 'nonsense' of Profiles"):
        limit.begin(hold)


def test_a_daemon_that_hangs_is_not_waited_for_and_holds_nothing_later(
    bus: ProfileBus, limit: PowerProfile, hold: Hold
) -> None:
    daemon = bus.daemon()
    limit.begin(hold)
    daemon.send_signal(signal.SIGSTOP)
    with impatient(), pytest.raises(ActionError, match="no answer in time"):
        limit.follow(0.5)
    daemon.send_signal(signal.SIGCONT)
    eventually(lambda: bus.holds() == [], "what it took up late was taken back")
    limit.follow(0.5)
    daemon.send_signal(signal.SIGSTOP)
    with impatient(), pytest.raises(ActionError, match="no answer in time"):
        limit.lost()
    daemon.send_signal(signal.SIGCONT)
    eventually(lambda: bus.holds() == [], "what is not known to be held is not held")


def test_a_bus_that_hangs_is_not_waited_for(
    bus: ProfileBus, limit: PowerProfile, hold: Hold
) -> None:
    bus.daemon()
    limit.begin(hold)
    bus.bus.send_signal(signal.SIGSTOP)
    with impatient(), pytest.raises(ActionError, match=r"the system bus .*: no answer in time"):
        limit.follow(0.5)


@pytest.mark.parametrize("who", ["daemon", "bus"])
def test_one_that_dies_takes_the_hold_along_and_it_is_told(
    bus: ProfileBus, limit: PowerProfile, hold: Hold, who: str
) -> None:
    daemon = bus.daemon()
    limit.begin(hold)
    limit.follow(0.5)
    dying = daemon if who == "daemon" else bus.bus
    dying.kill()
    dying.wait(20.0)
    with pytest.raises(ActionError, match=r"ServiceUnknown|NameHasNoOwner|closed|reset|pipe"):
        eventually(lambda: bool(limit.lost()), "the bus knows")
    assert limit.lost() == "", "told once; nothing is held any more"


SCRIPT = """
import os, signal, sys
from amptalk.actuators.devices.profiles import PowerProfile
limit = PowerProfile()
limit.begin(object())
limit.follow(0.5)
child = os.fork() if sys.argv[1] == "with a fork" else -1
if child == 0:
    limit.end()  # as a manager does in a fork
    print(os.getpid(), flush=True)
    signal.pause()
if child < 0:
    print(0, flush=True)
signal.pause()
"""


@pytest.mark.parametrize("how", ["alone", "with a fork"])
def test_a_killed_owner_holds_nothing_any_more(bus: ProfileBus, how: str) -> None:
    bus.daemon()
    owner = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, how], stdout=subprocess.PIPE, text=True,
        env={**environment(), "DBUS_SYSTEM_BUS_ADDRESS": bus.address},
    )  # fmt: skip
    assert owner.stdout is not None
    child = int(owner.stdout.readline())
    try:
        assert bus.holds() == OURS, "a fork that lets go ends nothing"
        owner.kill()
        owner.wait(20.0)
        eventually(lambda: bus.holds() == [], "taken back by the daemon")
    finally:
        if child:
            os.kill(child, signal.SIGKILL)
        owner.communicate()


def test_it_follows_the_shares_like_the_others_and_a_choice_ends_it(
    bus: ProfileBus, hold: Hold
) -> None:
    bus.daemon()
    clock = VirtualClock()
    limits = DeviceLimits(clock, ["power_profile"], "0")
    (said,) = limits.begin(hold)
    assert said.startswith("device limit power_profile follows power and temperature: power-saver")

    def led(share: float) -> list[ActionReport]:
        limits.lead(share, clock.advance(60.0), lambda _key, function, _deadline: function())
        return limits.reports()

    (report,) = led(0.6)
    assert (report.verdict, report.detail) == (Verdict.WORKED, "60%: power-saver is held")
    bus.choose("balanced")
    limits.check()
    (report,) = limits.reports()
    assert report.verdict is Verdict.NO_EFFECT
    assert led(0.5) == [], "who chose has the last word"
    assert bus.holds() == []
    limits.end()
