"""Why the control group has no memory or CPU of its own, and what gives it one.

Sources: cgroups(7), systemd-run(1), Documentation/admin-guide/cgroup-v2.rst; that a Raspberry Pi
boots with `cgroup_disable=memory` and needs `cgroup_enable=memory` after it, and that Linux 6.12
kernels of mid-2025 ignored that: raspberrypi/linux issues 6980 and 6439.
"""

from __future__ import annotations

from amptalk.sensors.diagnosis.boot import with_option, without_option
from amptalk.sensors.diagnosis.causes import Cause, Finding
from amptalk.sensors.diagnosis.machine import Machine
from amptalk.sensors.files import text_or_nothing
from amptalk.sensors.report import SensorReport

_ENABLE = "cgroup_enable=memory"


def explain(machine: Machine, report: SensorReport) -> tuple[Finding, ...]:
    """Say why memory, swap or CPU of the group is missing; nothing for faults of one file."""
    controller = "cpu" if "CPU" in report.name else "memory"
    reason = report.missing
    if "switched off at boot" in reason:
        return (_at_boot(machine, controller, reason),)
    if "does not count what a group has in swap" in reason:
        remedy = with_option(machine, "swapaccount=1")
        return (Finding("", Cause.AT_BOOT, reason, remedy),)
    if "no control group file system" in reason:
        remedy = machine.on_host(f"sudo mount -t cgroup2 none {machine.roots.sys}/fs/cgroup")
        return (Finding("", Cause.NO_GROUP, reason, remedy),)
    if "root group" in reason or "counts" in reason:
        reason = reason.removeprefix("not in a control group of its own: ")
        counting = "memory" if controller == "memory" else "cpuacct"
        return (Finding("", Cause.NO_GROUP, reason, own_group(machine, counting)),)
    return ()


def _at_boot(machine: Machine, controller: str, reason: str) -> Finding:
    option = f"cgroup_disable={controller}"
    if controller != "memory" or not machine.raspberry_pi:
        return Finding("", Cause.AT_BOOT, reason, without_option(machine, option))
    if _ENABLE in machine.boot and option in machine.boot:
        later = machine.boot.index(_ENABLE) > machine.boot.index(option)
        if later:
            text = (
                f"this kernel ({machine.kernel}) ignores {_ENABLE}, as some of Linux 6.12 do: "
                "no group counts memory"
            )
            return Finding("", Cause.AT_BOOT, text, "sudo apt full-upgrade && sudo reboot")
    remedy = with_option(machine, f"{_ENABLE} cgroup_memory=1")
    return Finding("", Cause.AT_BOOT, reason, remedy)


def own_group(machine: Machine, controller: str) -> str:
    """The command that starts a program in a control group of its own with a limit."""
    limit = "MemoryMax=1G" if controller == "memory" else "CPUQuota=100%"
    if machine.container:
        option = "--memory=1g" if controller == "memory" else "--cpus=1"
        return f"start the container with a limit: docker run {option} IMAGE"
    if machine.systemd:
        user = "" if machine.user.root else "--user "
        return f"systemd-run {user}--scope -p {limit} COMMAND"
    sudo = "" if machine.user.root else "sudo "
    mount = _hierarchy(machine, controller)
    folder = f"{mount or '/sys/fs/cgroup'}/amptalk"
    make = f"{sudo}mkdir -p {folder}"
    if not mount:  # version 2 hands controllers down to children one by one
        name = "memory" if controller == "memory" else "cpu"
        make += f" && echo +{name} | {sudo}tee /sys/fs/cgroup/cgroup.subtree_control"
    return f"{make} && echo $$ | {sudo}tee {folder}/cgroup.procs && COMMAND"


def _hierarchy(machine: Machine, controller: str) -> str:
    """Where version 1 counts the controller; empty where it is version 2."""
    for line in text_or_nothing(f"{machine.roots.proc}/self/mountinfo").splitlines():
        left, _, right = line.partition(" - ")
        kind = right.split()
        if kind[:1] == ["cgroup"] and controller in kind[-1].split(","):
            return left.split()[4]
    return ""
