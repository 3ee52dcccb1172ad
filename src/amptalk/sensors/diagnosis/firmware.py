"""Why the firmware of a Raspberry Pi cannot be asked: for its power and for its throttling flags.

Sources: raspberrypi.com "vcgencmd" (`/dev/vcio` belongs to the group `video`), moby's default
masked paths (container runtimes hide `/sys/firmware`, where `/proc/device-tree` leads to).
"""

from __future__ import annotations

import shutil

from amptalk.sensors.diagnosis.causes import Cause, Finding
from amptalk.sensors.diagnosis.machine import Machine
from amptalk.sensors.files import exists


def hindrance(machine: Machine) -> Finding | None:
    """What keeps us from asking, as far as files and groups tell; `None` when they do not."""
    if machine.roots.recorded:
        return Finding("", Cause.NOT_GIVEN, "a recording does not hold what the firmware answers")
    device = f"{machine.roots.dev}/vcio"
    return (_in_container if machine.container else _outside)(machine, device)


def _outside(machine: Machine, device: str) -> Finding | None:
    if exists(device):
        text = _only_members(machine, device)
        remedy = "sudo usermod -aG video $USER  # then log in again"
        return Finding("", Cause.NO_PERMISSION, text, remedy) if text else None
    if shutil.which("vcgencmd") is not None:
        return None
    text = f"there is neither {device} nor vcgencmd to ask the firmware"
    return Finding("", Cause.NOT_INSTALLED, text, "sudo apt install raspi-utils")


def _in_container(machine: Machine, device: str) -> Finding | None:
    hidden = not exists(f"{machine.roots.proc}/device-tree/model")
    if hidden:
        text = "the container runtime hides which board it is, so its firmware is not asked"
    elif exists(device):
        text = _only_members(machine, device)
    else:
        text = f"the container has no {device} to ask the firmware"
    remedy = _passed_on(machine, hidden=hidden)
    return Finding("", Cause.NO_PERMISSION, text, remedy) if text else None


def _only_members(machine: Machine, device: str) -> str:
    """That the user is not in the group of the device; empty for one who is."""
    if machine.user.root or "video" in machine.user.groups:
        return ""
    return f"only members of the group video may ask the firmware through {device}"


def unhide(machine: Machine) -> str:
    """The option that shows a container what its runtime hides of `/proc` and `/sys`."""
    if machine.container == "podman":
        return "podman run --security-opt unmask=ALL IMAGE"
    return "docker run --security-opt systempaths=unconfined IMAGE"


def _passed_on(machine: Machine, *, hidden: bool) -> str:
    """Start the container with the firmware's device."""
    options = "--device /dev/vcio"
    if not machine.user.root:
        options += " --group-add video"
    if hidden:
        return unhide(machine).replace("IMAGE", f"{options} IMAGE")
    program = "podman" if machine.container == "podman" else "docker"
    return f"{program} run {options} IMAGE"
