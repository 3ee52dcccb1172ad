"""The command and the manager on this kernel, as users have them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from amptalk import create_resource_manager
from tests.helpers import eventually
from tests.vm.guest.firmware import Firmware

AMPTALK = Path(sys.executable).with_name("amptalk")


def test_doctor_finds_the_sensors_that_are_there(firmware: Firmware) -> None:
    firmware.set(decicelsius=533, meter_mw=17_250)
    done = subprocess.run([AMPTALK, "doctor", "--json"], capture_output=True, text=True, check=True)
    sensors = {one["name"]: one for one in json.loads(done.stdout)["sensors"]}
    found = {name for name, one in sensors.items() if not one["missing"]}
    assert {
        *("device memory", "device CPU", "device swapping", "device power", "device temperature"),
        *("device cpu pressure", "device memory pressure", "device io pressure", "throttling"),
    } <= found
    assert "53.3 °C" in sensors["device temperature"]["value"]
    assert "17.2 W" in sensors["device power"]["value"]


def test_a_manager_sees_the_firmware_pass_its_limit(firmware: Firmware) -> None:
    firmware.set(decicelsius=600)
    with create_resource_manager(
        max_temp_celsius=75, scope="device", handling="observe", monitoring_interval=0.5
    ) as manager:
        eventually(
            lambda: manager.get_current_metrics().temperature_celsius == 60.0, "a first reading"
        )
        assert not manager.violations
        firmware.set(decicelsius=904)
        eventually(lambda: bool(manager.violations), "two samples are over the limit")
        violation = manager.violations[0]
        assert (violation.resource, violation.limit, violation.peak) == ("temperature", 75, 90.4)
        assert manager.get_current_metrics().temperature_celsius == 90.4
