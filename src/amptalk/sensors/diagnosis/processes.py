"""Why the exact memory of the application's processes is missing.

`smaps_rollup` is for the process's own user, while it may be dumped (prctl(2), PR_SET_DUMPABLE),
and for root. Yama's `ptrace_scope` does not matter: it restricts attaching, not reading.

Sources: proc(5) (`hidepid`), ptrace(2) (access modes), security/yama/yama_lsm.c.
"""

from __future__ import annotations

from amptalk.sensors.diagnosis.causes import Cause, Finding
from amptalk.sensors.diagnosis.machine import Machine
from amptalk.sensors.files import exists, text_or_nothing
from amptalk.sensors.report import SensorReport


def explain(machine: Machine, report: SensorReport) -> tuple[Finding, ...]:
    """Say why `smaps_rollup` cannot be read for one of the processes."""
    if not report.missing.startswith("not to be had from"):
        return ()
    if not exists(report.source):
        text = "this kernel has no smaps_rollup, which came with Linux 4.14"
        return (Finding("", Cause.NO_KERNEL, text),)
    if _hides_processes(machine):
        text = "/proc is mounted with hidepid: processes of other users are hidden from this one"
        remedy = machine.on_host("sudo mount -o remount,hidepid=0 /proc")
        return (Finding("", Cause.NO_PERMISSION, text, remedy),)
    text = (
        "a process of the application is another user's, or may not be dumped (it is setuid, has "
        "capabilities, or called prctl): only root may read its smaps_rollup"
    )
    return (Finding("", Cause.NO_PERMISSION, text, "run the application as root"),)


def _hides_processes(machine: Machine) -> bool:
    """Whether `/proc` is mounted with `hidepid` other than 0 (mountinfo's last column)."""
    for line in text_or_nothing(f"{machine.roots.proc}/self/mountinfo").splitlines():
        left, _, right = line.partition(" - ")
        if left.split()[4:5] == ["/proc"]:
            options = right.rpartition(" ")[2].split(",")
            chosen = [one.partition("=")[2] for one in options if one.startswith("hidepid=")]
            return chosen[-1:] not in ([], ["0"], ["off"])
    return False
