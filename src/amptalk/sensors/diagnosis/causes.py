"""The causes for which a value may be missing, and what is found out about one."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple


class Cause(str, Enum):
    """Why there is no value; the text is what `amptalk doctor` prints."""

    NO_DEVICE = "no such device"
    NO_DRIVER = "no driver"
    NO_PERMISSION = "no permission"
    NO_GROUP = "no control group of its own"
    AT_BOOT = "disabled at boot"
    NO_KERNEL = "not in this kernel"
    NOT_INSTALLED = "not installed"
    NOT_GIVEN = "not given by the driver"
    ASLEEP = "asleep"
    LATER = "has a value later"
    NO_LINUX = "not on this system"
    NAMED_WRONGLY = "named wrongly"
    BROKEN = "does not work as it should"


class Finding(NamedTuple):
    """One thing that keeps a sensor from giving a value."""

    source: str
    """What was looked at, such as `RAPL`; empty for the sensor as a whole."""
    cause: Cause
    reason: str
    remedy: str = ""
    """One exact command or boot option; empty when nothing can be done here."""


def best_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those that something can be done about before the others, else in their order."""
    return tuple(sorted(findings, key=lambda one: not one.remedy))
