"""What every reason that a sensor gives means: its cause, and whether anything can be done.

One row a reason. `NOTHING` says in words why there is no command; a reason without a row of that
kind comes with a remedy, from the sensor or from the topic's own file here. A test finds every
reason in the code of the sensors and holds both.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from amptalk.sensors.diagnosis.causes import Cause, Finding

_WAIT = "it has a value at the next reading"
_REPORT = "report it, with the contents of the file"


class Outcome(NamedTuple):
    """What a reason means."""

    pattern: str
    """A regular expression found in the reason, and in no other row's reasons."""
    cause: Cause
    nothing: str
    """Why nothing can be done about it; empty where a remedy comes with it."""


OUTCOMES = tuple(
    Outcome(*row)
    for row in (
        # Values that come by themselves.
        (r"needs (50|250) ms of history", Cause.LATER, _WAIT),
        (r"needs two (plausible )?readings", Cause.LATER, _WAIT),
        (r"^not read yet$|has not been read yet$", Cause.LATER, _WAIT),
        (r"first exact reading of all processes has not ended", Cause.LATER, _WAIT),
        (r"first reading of the GPU has not been answered", Cause.LATER, _WAIT),
        (r"has no value at the moment \(the part is not powered\)", Cause.LATER,
         "it has a value when the part is powered"),
        (r"exactly 0 °C, as a sensor without power does", Cause.LATER,
         "it has a value when the part is powered"),
        (r"^asleep: the GPU is suspended", Cause.ASLEEP, "it has values when it is used"),
        # Permissions.
        (r"may not be read by this user", Cause.NO_PERMISSION, ""),
        (r"this user may not use the NVIDIA driver", Cause.NO_PERMISSION, ""),
        (r"this user may not call nvml", Cause.NO_PERMISSION,
         "the driver allows it to root only: run the application as root"),
        (r"pid namespace of its own, and the driver names the host's", Cause.NO_PERMISSION, ""),
        (r"the driver lets this process use none", Cause.NO_PERMISSION, ""),
        (r"^not to be had from ", Cause.NO_PERMISSION, ""),
        # What is not there.
        (r" does not exist$", Cause.NO_KERNEL, "the kernel of this machine has no such file"),
        (r"belongs to a device or control group that is gone", Cause.NO_DEVICE,
         "it is looked for anew every minute"),
        (r" belongs to another device than .* now$", Cause.NO_DEVICE,
         "it is looked for at once, under its new number"),
        (r" does not exist any more: ", Cause.NO_DEVICE,
         "it is looked for at once, and then every minute"),
        (r"belongs to a process that has ended", Cause.NO_DEVICE, "the process has ended"),
        (r"^process .* has ended$", Cause.NO_DEVICE, "the process has ended"),
        (r"^no power sensor", Cause.NO_DEVICE, ""),
        (r"^no temperature sensor", Cause.NO_DEVICE, ""),
        (r"^no thermal zone of the GPU", Cause.NO_DEVICE, "this board has no such thermometer"),
        (r"^no GPU: ", Cause.NO_DEVICE, ""),
        (r"no reader for the GPU of driver", Cause.NOT_GIVEN,
         "NVIDIA, Jetson, AMD and Intel GPUs are read"),
        (r"^the GPU is no longer there: ", Cause.NO_DEVICE, "it is looked for anew every minute"),
        (r" names no GPU here; there are: ", Cause.NAMED_WRONGLY,
         "GPUs are looked for anew every minute"),
        (r"names no temperature sensor", Cause.NAMED_WRONGLY, ""),
        (r"nothing here shows it", Cause.NOT_GIVEN, ""),
        # Control groups.
        (r"^not in a control group of its own", Cause.NO_GROUP, ""),
        (r"nor an ancestor of one, counts ", Cause.NO_GROUP, ""),
        (r"no control group file system is mounted", Cause.NO_GROUP, ""),
        (r"switched off at boot", Cause.AT_BOOT, ""),
        (r"pressure stall information is off", Cause.AT_BOOT, ""),
        (r"does not count what a group has in swap", Cause.AT_BOOT, ""),
        (r"is switched off in this kernel$", Cause.NO_KERNEL, "only another kernel has it"),
        # Swap.
        (r"kernels before 5\.19 do not say in meminfo how much", Cause.NO_KERNEL,
         "Linux 5.19 and newer say it"),
        (r" names swap of kind .*: where it lies is not told", Cause.NOT_GIVEN,
         "a container's host knows it, and does not say"),
        # GPUs.
        (r"nvidia-ml-py is not installed", Cause.NOT_INSTALLED, ""),
        (r"libnvidia-ml\.so\.1 is not found", Cause.NOT_INSTALLED, ""),
        (r"nvidia-ml-py has no ", Cause.NOT_INSTALLED, ""),
        (r"the NVIDIA driver is not loaded", Cause.NO_DRIVER, ""),
        (r"driver and its library have different versions", Cause.BROKEN, ""),
        (r"this GPU does not support nvml", Cause.NOT_GIVEN, "neither GPU nor driver has it"),
        (r"this driver has no nvml", Cause.NOT_GIVEN, "a newer driver may have it"),
        (r"this driver does not give it", Cause.NOT_GIVEN, "the driver has no such file"),
        (r"not supported while the GPU is divided by MIG", Cause.NOT_GIVEN,
         "NVIDIA gives it for undivided GPUs only"),
        (r"belongs to the whole board, not to one MIG", Cause.NOT_GIVEN,
         "NVIDIA gives it for the whole board only"),
        (r"the driver tells the busy time of each process", Cause.NOT_GIVEN,
         "the application's own share is told"),
        (r"the driver tells the memory of the card by an ioctl", Cause.NOT_GIVEN,
         "the application's own memory is told"),
        (r"^the end of process .* cannot be waited for: ", Cause.NO_KERNEL,
         "pidfd_open needs Linux 5.3 or newer, and a sandbox that allows it"),
        (r"does not tell memory by process", Cause.NO_KERNEL, "Linux 6.8 and newer tell it"),
        (r"it shares the machine's memory: no share is its own", Cause.NOT_GIVEN,
         "look at the memory of the device"),
        (r"NVML does not tell the memory of a process", Cause.NOT_GIVEN,
         "the driver leaves it out"),
        (r"this GPU has memory of its own and does not tell it", Cause.NOT_GIVEN,
         "neither GPU nor driver has it"),
        (r"in the binary gpu_metrics only, which is not read", Cause.NOT_GIVEN,
         "clock, power and temperature of the GPU are told"),
        (r"does not tell it, or to root only", Cause.NOT_GIVEN,
         "a newer kernel may have the files"),
        (r"the board tells its throttling as a whole", Cause.NOT_GIVEN,
         "the GPU has no files of its own for it"),
        (r"the driver gives no power or temperature", Cause.NOT_GIVEN, "it has no such file"),
        (r"the GPU is lost", Cause.BROKEN, "it is looked for anew; else restart the machine"),
        (r"the driver no longer lists this GPU", Cause.BROKEN,
         "it is looked for anew; else restart the machine"),
        (r"the GPU must be reset", Cause.BROKEN, "restart the machine"),
        (r"^nvml\w+ failed: ", Cause.BROKEN, "it is tried again; see the driver's messages: dmesg"),
        (r"^the processes of the application are not known$", Cause.LATER,
         "it has a value when they can be read; see `application processes`"),
        # The firmware of a Raspberry Pi.
        (r"may not ask the firmware", Cause.NO_PERMISSION, ""),
        (r"^there is neither .* to ask the firmware$", Cause.NOT_INSTALLED, ""),
        (r"^a recording does not hold what the firmware answers", Cause.NOT_GIVEN,
         "a recording keeps files only"),
        (r"the firmware refuses ", Cause.NOT_GIVEN, "a newer firmware may have the command"),
        (r"the firmware did not take ", Cause.NOT_GIVEN, "a newer firmware may have the command"),
        # Things that do not work as documented.
        (r"is not as documented", Cause.BROKEN, _REPORT),
        (r"which cannot be$|W cannot be$", Cause.BROKEN, "the sensor is passed over"),
        (r"cannot be read: ", Cause.BROKEN, "it is tried again; see the kernel's messages: dmesg"),
        (r"cannot be opened: this process has no free file descriptor", Cause.BROKEN,
         "close files, or raise `ulimit -n`"),
        (r"has no MemTotal", Cause.BROKEN, _REPORT),
        (r"has neither power_now nor current_now", Cause.NOT_GIVEN, "the battery's driver"),
        (r"less than its packages", Cause.NOT_GIVEN, "this board does not wire the counter psys"),
        (r"has not answered for", Cause.BROKEN, "it counts again when it answers"),
        (r"is being read by another thread and does not answer", Cause.BROKEN,
         "it counts again when it answers"),
        (r"took more than .* s to read$", Cause.BROKEN, "it is tried again at the next reading"),
        (r"did not answer within ", Cause.BROKEN, "it is tried again at the next reading"),
        (r"waits for other sensors, which do not answer", Cause.BROKEN,
         "it counts again when they answer"),
        (r"is not in a recording of files", Cause.NOT_GIVEN, "a recording keeps files only"),
        # Other systems than Linux.
        (r"is read on Linux only", Cause.NO_LINUX, "this system has no such file"),
        (r"there are no control groups on this system", Cause.NO_LINUX, "Linux has them"),
        (r"^psutil cannot read ", Cause.BROKEN, "it is tried again"),
    )
)  # fmt: skip


def outcome_of(reason: str) -> Outcome | None:
    """The row of a reason; `None` for one that has none."""
    return next((one for one in OUTCOMES if re.search(one.pattern, reason)), None)


def finding_of(reason: str, remedy: str) -> Finding:
    """What a sensor's own words say: the cause, and its remedy or why there is none."""
    outcome = outcome_of(reason)
    if outcome is None:
        return Finding("", Cause.BROKEN, reason, remedy)
    text = reason if remedy or not outcome.nothing else f"{reason}; {outcome.nothing}"
    return Finding("", outcome.cause, text, remedy)
