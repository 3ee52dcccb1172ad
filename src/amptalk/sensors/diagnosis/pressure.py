"""Why pressure stall information is missing.

Three states of a kernel: built without it, built with it but off unless `psi=1` is given
(CONFIG_PSI_DEFAULT_DISABLED, as on a Raspberry Pi), or switched off by `psi=0`. Kernels before
5.14 show the files even so and refuse to be read (EOPNOTSUPP); newer ones have no files.

Source: Documentation/accounting/psi.rst, kernel/sched/psi.c.
"""

from __future__ import annotations

from amptalk.sensors.diagnosis.boot import built_in, with_option, without_option
from amptalk.sensors.diagnosis.causes import Cause, Finding
from amptalk.sensors.diagnosis.machine import Machine
from amptalk.sensors.report import SensorReport

_ON = "psi=1"
_FALSE = {"0", "n", "no", "off", "false"}
"""What the kernel takes for no (kstrtobool), as far as it is in use."""
_NEW_KERNEL = "this kernel was built without CONFIG_PSI: only another kernel has it"


def explain(machine: Machine, report: SensorReport) -> tuple[Finding, ...]:
    """Say why a file below `/proc/pressure` cannot be read; nothing where it is there."""
    if "is off in this kernel" not in report.missing:
        return ()
    given = next((one for one in reversed(machine.boot) if one.startswith("psi=")), "")
    off = given[4:].lower() in _FALSE
    if built_in(machine, "CONFIG_PSI") is False or (given and not off):
        return (Finding("", Cause.NO_KERNEL, _NEW_KERNEL),)
    if off:
        text = f"pressure stall information is switched off by {given} at boot"
        return (Finding("", Cause.AT_BOOT, text, without_option(machine, given)),)
    text = "pressure stall information is off unless the kernel is booted with psi=1"
    if built_in(machine, "CONFIG_PSI") is None:
        text += " (and built with CONFIG_PSI, which cannot be seen here)"
    return (Finding("", Cause.AT_BOOT, text, with_option(machine, _ON)),)
