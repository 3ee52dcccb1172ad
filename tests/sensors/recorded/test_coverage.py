"""Whatever a sensor opens on a device is among what a recording keeps."""

from __future__ import annotations

import re

import pytest

from amptalk.sensors.recorded.catalogue import covers
from amptalk.sensors.recorded.groups import CHANGING, FIXED
from amptalk.sensors.recorded.processes import FILES
from tests.helpers import output_of
from tests.recordings.make import DEVICES, HERE

LISTEN = """
import os, sys
seen = set()
def hear(event, arguments):
    reads = event == "os.listdir" or (event == "open" and not arguments[2] & os.O_ACCMODE)
    if reads and isinstance(arguments[0], str):
        seen.add(arguments[0])
"""
LIVE = (
    LISTEN
    + """
from amptalk.sensors.suite import SensorSuite
sys.addaudithook(hear)
suite = SensorSuite("device", threads=False)
suite.read(); suite.refine_memory(); suite.close()
print("\\n".join(seen))
"""
)
REPLAYED = (
    LISTEN
    + """
from amptalk.simulation.replay import Replay
sys.addaudithook(hear)
with Replay(sys.argv[1]) as replay:
    for moment in replay:
        pass
import re
print("\\n".join(re.sub(".*/amptalk-replay-[^/]+", "", path) for path in seen if "replay-" in path))
"""
)
_GROUPS = {*CHANGING, *FIXED}


def kept(path: str) -> bool:
    # A chip is read below its device, where the link in the catalogue leads.
    path = re.sub(r"^/sys/devices/.*/(hwmon/hwmon\d+)", r"/sys/class/\1", path)
    if path.startswith("/sys/fs/cgroup"):
        return path.rpartition("/")[2] in _GROUPS
    process = re.fullmatch(r"/proc/(?:\d+|self)(?:/(.*))?", path)
    if process is not None:
        own = {*FILES, "cgroup", "mountinfo", "task", "fd", None}
        rest = process[1]
        return rest in own or re.fullmatch(r"task/\d+/children|fdinfo/\d+", rest or "") is not None
    return path in {"/proc", "/sys"} or covers(path)


def unkept(output: str) -> list[str]:
    paths = {path for path in output.split("\n") if path.startswith(("/proc", "/sys"))}
    assert len(paths) > 10, "the sensors read something"
    # A chip's own number is asked of AMD's GPUs to tell two apart; it is a serial number.
    return sorted(path for path in paths if not kept(path) and not path.endswith("/unique_id"))


def test_on_this_machine() -> None:
    assert not unkept(output_of(LIVE))


@pytest.mark.parametrize("name", DEVICES)
def test_on_the_recordings(name: str) -> None:
    assert not unkept(output_of(REPLAYED, str(HERE / name)))


@pytest.mark.parametrize(
    "path",
    [
        "sys/class/drm/card0/gt/gt0/throttle_reason_pl1",
        "sys/class/drm/card1/device/tile0/gt0/freq0/throttle/reason_thermal",
        "sys/block/zram0/mm_stat",
        "sys/block/zram0/bd_stat",
        "sys/module/zswap/parameters/enabled",
        "proc/swaps",
    ],
)
def test_what_few_devices_have_is_covered(path: str) -> None:
    assert covers(path)


def test_what_is_not_in_the_catalogue_is_not_covered() -> None:
    for path in ("/etc/passwd", "/proc/1/environ", "/sys/class/net/eth0/address", "/sys/kernel"):
        assert not kept(path) or path == "/sys/kernel"
    assert not covers("sys/class/power_supply/BAT0/serial_number")
