"""Why there is no power: each source that this machine could have, and what keeps it from use.

Sources: Documentation/power/powercap/powercap.rst, CVE-2020-8694 (RAPL counters are for root only
since), moby's advisory GHSA-jq35-85cj-fj4p (container runtimes hide `powercap`),
Documentation/i2c/instantiating-devices.rst, Documentation/hwmon/{ina2xx,ina3221,acpi_power_meter}.
"""

from __future__ import annotations

import re

from amptalk.sensors.diagnosis.causes import Cause, Finding, best_first
from amptalk.sensors.diagnosis.firmware import hindrance, unhide
from amptalk.sensors.diagnosis.machine import Machine
from amptalk.sensors.diagnosis.outcomes import finding_of
from amptalk.sensors.files import exists, listing, text_or_nothing
from amptalk.sensors.power.hwmon_power import ADD_METER
from amptalk.sensors.power.rapl import MAKE_READABLE
from amptalk.sensors.report import SensorReport

_NOTHING = "no power sensor"
_BOARDS = ("Raspberry Pi 5", "Raspberry Pi Compute Module 5")
"""Those whose firmware tells the power of their rails."""
_UDEV = 'SUBSYSTEM=="powercap", ACTION=="add", RUN+="/bin/chmod a+r /sys%p/energy_uj"'
_UDEV_FILE = "/etc/udev/rules.d/99-amptalk-rapl.rules"


def explain(machine: Machine, report: SensorReport) -> tuple[Finding, ...]:
    """Say of each source why it gives no power."""
    found = [
        *_ina3221(machine), *_acpi_meter(machine), *_battery(machine), *_rapl(machine, report),
        *_raspberry_pi(machine, report),
    ]  # fmt: skip
    if not found and report.missing.startswith(_NOTHING):
        if machine.virtual:
            text = f"the machine that runs this virtual one ({machine.virtual}) measures power"
            found = [Finding("", Cause.NO_DEVICE, text)]
        else:
            text = "this machine has no meter that the kernel knows"
            remedy = ADD_METER if exists(f"{machine.top}/dev/i2c-1") else ""
            found = [Finding("", Cause.NO_DEVICE, text, remedy)]
    return best_first(found)


def _ina3221(machine: Machine) -> list[Finding]:
    """The meters of a Jetson: a chip on the bus without its driver."""
    folder = f"{machine.roots.sys}/bus/i2c/devices"
    for device in listing(folder):
        path = f"{folder}/{device}"
        if not text_or_nothing(f"{path}/name").startswith("ina3221"):
            continue
        if listing(f"{path}/hwmon") or any(one.startswith("iio:") for one in listing(path)):
            return []
        text = f"the meter {device} of the board has no driver"
        remedy = machine.on_host("sudo modprobe ina3221")
        return [Finding("INA3221", Cause.NO_DRIVER, text, remedy)]
    if machine.jetson:
        text = f"a Jetson measures its rails with an INA3221, and there is none in {folder}"
        remedy = machine.on_host("sudo modprobe ina3221")
        return [Finding("INA3221", Cause.NO_DRIVER, text, remedy)]
    return []


def _acpi_meter(machine: Machine) -> list[Finding]:
    for device in listing(f"{machine.roots.sys}/bus/acpi/devices"):
        if device.startswith("ACPI000D") and not machine.loaded("acpi_power_meter"):
            text = f"the firmware has a power meter ({device}) without its driver"
            remedy = machine.on_host("sudo modprobe acpi_power_meter")
            return [Finding("ACPI meter", Cause.NO_DRIVER, text, remedy)]
    return []


def _battery(machine: Machine) -> list[Finding]:
    folder = f"{machine.roots.sys}/class/power_supply"
    for name in listing(folder):
        path = f"{folder}/{name}"
        if (
            text_or_nothing(f"{path}/type") != "Battery"
            or text_or_nothing(f"{path}/scope") == "Device"
        ):
            continue
        if not (exists(f"{path}/power_now") or exists(f"{path}/current_now")):
            text = f"{name} tells neither power nor current"
            return [Finding("battery", Cause.NOT_GIVEN, text)]
        status = text_or_nothing(f"{path}/status").lower() or "not discharging"
        text = f"{name} is {status}: it tells the power of the device while nothing else feeds it"
        return [Finding("battery", Cause.LATER, text)]
    return []


def _rapl(machine: Machine, report: SensorReport) -> list[Finding]:
    """The counters of an x86 processor: unreadable, hidden, of the host, or without driver."""
    folder = f"{machine.roots.sys}/class/powercap"
    zones = [one for one in listing(folder) if one.startswith("intel-rapl") and ":" in one]
    if "energy_uj may not be read" in report.missing:
        return [Finding("RAPL", Cause.NO_PERMISSION, *_unreadable(machine, report.missing))]
    if not machine.processor or any(exists(f"{folder}/{zone}/energy_uj") for zone in zones):
        return []
    if machine.container and zones:
        text = "the container runtime hides the energy counters of the processor"
        return [Finding("RAPL", Cause.NO_PERMISSION, text, unhide(machine))]
    if machine.virtual:
        text = f"{machine.virtual} does not show the processor's energy counters to its guests"
        return [Finding("RAPL", Cause.NO_DEVICE, text)]
    text, remedy = "the driver intel_rapl_msr is loaded and does not know this processor", ""
    if not machine.loaded("intel_rapl_msr"):
        text = "the driver of the processor's energy counters is not loaded"
        remedy = machine.on_host("sudo modprobe intel_rapl_msr")
    return [Finding("RAPL", Cause.NO_DRIVER, text, remedy)]


def _unreadable(machine: Machine, reason: str) -> tuple[str, str]:
    """Counters that only root may read, since they let a local user spy on others' secrets."""
    text = f"{reason} (since CVE-2020-8694 only root may; the remedy lets every local user)"
    if machine.container:
        text += "; cap_add does not help a user of the container who is not root"
        return text, machine.on_host(MAKE_READABLE)
    if machine.systemd:
        return text, MAKE_READABLE
    rule = f"echo '{_UDEV}' | sudo tee {_UDEV_FILE}"
    return text, f"{rule} && sudo udevadm trigger --action=add --subsystem-match=powercap"


def _raspberry_pi(machine: Machine, report: SensorReport) -> list[Finding]:
    """The rails of a Raspberry Pi 5 are told by its firmware; older ones have no meter."""
    if not machine.raspberry_pi:
        return []
    absent = report.missing.startswith(_NOTHING)
    if machine.model.startswith(_BOARDS):
        said = finding_of(report.missing, "" if machine.roots.recorded else report.remedy)
        asked = re.search("vcio|vcgencmd|firmware|pmic_read_adc", report.missing)
        barred = said.cause in {Cause.NO_PERMISSION, Cause.NOT_INSTALLED}
        why = hindrance(machine) if absent or (asked and barred) else None
        if why is not None or asked:
            return [(why or said)._replace(source="PMIC")]
    if not absent:
        return []
    text = "this Raspberry Pi has no meter of its own"
    return [Finding("", Cause.NO_DEVICE, text, ADD_METER)]
