"""Why a GPU gives no values, or only some: driver, library, permission, container, sleep.

A GPU that sleeps is left asleep: that is no fault. Identities are read from sysfs, which wakes
nothing, and no device node is opened.

Sources: docker run reference (`--gpus`, `--device`), NVIDIA Container Toolkit "Support for
Container Device Interface", Debian wiki and Ubuntu server guide on NVIDIA's driver, udev's group
`render`.
"""

from __future__ import annotations

import os

from amptalk.sensors.diagnosis.boot import without_option
from amptalk.sensors.diagnosis.causes import Cause, Finding, best_first
from amptalk.sensors.diagnosis.machine import Machine
from amptalk.sensors.diagnosis.outcomes import finding_of
from amptalk.sensors.files import exists, listing
from amptalk.sensors.gpu.places import TITLES, VIRTUAL, displays, find_places
from amptalk.sensors.gpu.reading import ASLEEP, QUANTITIES
from amptalk.sensors.report import SensorReport

_DRIVERS = {"nvidia": "nvidia", "amd": "amdgpu", "intel": "i915"}
_JOIN = "sudo usermod -aG render,video $USER  # then log in again"


def explain(machine: Machine, report: SensorReport) -> tuple[Finding, ...]:
    """Say why a row of a GPU has no value."""
    if report.missing == ASLEEP.reason:
        return (Finding("", Cause.ASLEEP, report.missing),)
    if report.missing.startswith("no GPU:"):
        return best_first(_unseen(machine)) or (_none(machine),)
    return tuple(_nvidia(machine, report) or _of_quantities(report))


def _of_quantities(report: SensorReport) -> list[Finding]:
    """A row that names the values it is about before the reason why they are missing."""
    names, _, reason = report.missing.partition(": ")
    if reason and set(names.split(", ")) <= set(QUANTITIES):
        return [finding_of(reason, report.remedy)._replace(source=names)]
    return []


def remarks(machine: Machine) -> tuple[Finding, ...]:
    """Say what keeps the application from using an AMD or Intel GPU that is there."""
    if not any(place.kind in {"amd", "intel"} for place in find_places(machine.roots)):
        return ()
    folder = f"{machine.top}/dev/dri"
    nodes = [name for name in listing(folder) if name.startswith("renderD")]
    if not nodes:
        if not machine.container:
            return ()
        text = "the container has no device nodes in /dev/dri: the application cannot use the GPU"
        return (Finding("", Cause.NO_PERMISSION, text, _devices(machine)),)
    for name in nodes:
        if os.access(f"{folder}/{name}", os.R_OK | os.W_OK):
            return ()
    text = f"{nodes[0]} may not be opened by this user: the application cannot use the GPU"
    return (Finding("", Cause.NO_PERMISSION, text, machine.on_host(_JOIN)),)


def _devices(machine: Machine) -> str:
    amd = exists(f"{machine.roots.sys}/class/kfd")
    tool = "podman" if machine.container == "podman" else "docker"
    return f"{tool} run --device /dev/dri {'--device /dev/kfd ' if amd else ''}IMAGE"


def _nvidia(machine: Machine, report: SensorReport) -> list[Finding]:
    """What keeps NVML from starting, the deepest cause first."""
    places = [one for one in find_places(machine.roots) if one.kind in {"nvidia", "nouveau"}]
    if not places or report.value or not _is_nvidia(report):
        return []
    drivers = {place.driver for place in places}
    if drivers == {"nouveau"}:
        text = "the GPU is driven by nouveau, which tells neither use nor memory"
        return [Finding("", Cause.NO_DRIVER, text, _install(machine))]
    driver_runs = exists(f"{machine.roots.proc}/driver/nvidia/version")
    if machine.container and not exists(f"{machine.top}/dev/nvidiactl"):
        text = "the container has no device nodes of the GPU (/dev/nvidia*)"
        return [Finding("", Cause.NO_PERMISSION, text, _with_gpus(machine))]
    if drivers == {""} and not driver_runs:
        text = "the GPU has no driver"
        return [Finding("", Cause.NO_DRIVER, text, _install(machine))]
    return []


def _is_nvidia(report: SensorReport) -> bool:
    said = report.missing
    return "NVIDIA" in f"{report.source} {said}" or "nvidia" in said or "driver nouveau" in said


def _with_gpus(machine: Machine) -> str:
    if machine.container == "podman":
        return "podman run --device nvidia.com/gpu=all IMAGE"
    if machine.container == "Kubernetes":
        return "in the pod's container: resources: {limits: {nvidia.com/gpu: 1}}"
    return "docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility IMAGE"


def _install(machine: Machine) -> str:
    if machine.container:
        return machine.on_host("install the NVIDIA driver")
    if "ubuntu" in machine.families:
        return "sudo ubuntu-drivers install && sudo reboot"
    if "debian" in machine.families:
        return "sudo apt install nvidia-driver && sudo reboot"
    return "install the NVIDIA driver of the distribution, then reboot"


def _unseen(machine: Machine) -> list[Finding]:
    """Display devices on the bus that no driver of theirs has taken."""
    found = []
    for _, address, kind, driver in displays(machine.roots.sys):
        if not kind:
            continue
        name = f"{TITLES[kind]} GPU at {address}"
        if driver == VIRTUAL:
            text = f"the {name} is given to a virtual machine"
            found.append(Finding(name, Cause.NO_DEVICE, text))
        elif driver != _DRIVERS[kind] and "nomodeset" in machine.boot:
            text = f"the {name} has no driver: the kernel was booted with nomodeset"
            found.append(Finding(name, Cause.AT_BOOT, text, without_option(machine, "nomodeset")))
        elif not driver:
            text = f"the {name} has no driver"
            remedy = machine.on_host(f"sudo modprobe {_DRIVERS[kind]}")
            found.append(Finding(name, Cause.NO_DRIVER, text, remedy))
    return found


def _none(machine: Machine) -> Finding:
    if machine.virtual:
        text = f"no GPU is passed to this virtual machine ({machine.virtual})"
    elif machine.container:
        text = "no GPU is passed to this container, or the machine has none"
    else:
        text = "this machine has no GPU that the kernel knows"
    return Finding("", Cause.NO_DEVICE, text)
