"""Which GPU the sample shows: what was asked for, by whom, and which of those here it is.

`gpu=` counts before the environment variable `AMPTALK_GPU`; without either it is number 0. A
number means the GPU that has it at the first answer: when others come or go it stays that one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from amptalk.model.errors import ConfigurationError

if TYPE_CHECKING:
    from amptalk.sensors.gpu.reading import Identity

VARIABLE = "AMPTALK_GPU"


class Choice(NamedTuple):
    """What was asked for."""

    name: str
    """Number, UUID or PCI address in lower case; empty when nothing was asked for."""
    by: str
    """The argument or variable that asked, for messages."""

    @property
    def explicit(self) -> bool:
        """Whether the program asked, not its environment."""
        return self.by != VARIABLE


def choice_of(gpu: str | int | None) -> Choice:
    """The GPU asked for. Raises `ConfigurationError` for what names none at all."""
    if gpu is None:
        return Choice(os.environ.get(VARIABLE, "").strip().lower(), VARIABLE)
    valid = isinstance(gpu, (str, int)) and not isinstance(gpu, bool) and str(gpu).strip()
    if not valid or (isinstance(gpu, int) and gpu < 0):
        raise ConfigurationError(
            f"gpu={gpu!r}: give a number from 0, a UUID or a PCI address such as '0000:01:00.0'"
        )
    return Choice(str(gpu).strip().lower(), "gpu=")


class Listed(Protocol):
    """One of the GPUs here, in the order of their numbers."""

    @property
    def identity(self) -> Identity:
        """Which one it is."""


class Chooser:
    """Finds the chosen GPU among those listed, ever the same one."""

    def __init__(self, choice: Choice) -> None:
        self._name = choice.name
        self.pinned: Identity | None = None
        """The GPU that a number turned out to mean."""

    def find(self, listed: Sequence[Listed]) -> int | None:
        """Its place in `listed`, or `None`."""
        if self.pinned is not None:
            return _first(listed, self.pinned)
        name = self._name or "0"
        if name.isdigit():
            return int(name) if int(name) < len(listed) else None
        for place, one in enumerate(listed):
            uuid, address = one.identity.uuid.lower(), one.identity.pci_address
            if name in {uuid, address, address.partition(":")[2]} - {""}:
                return place
        return None

    def pin(self, identity: Identity) -> None:
        """Keep to this GPU, when a number was asked for and it can be told from others."""
        names = identity.uuid or identity.pci_address
        if self.pinned is None and names and (not self._name or self._name.isdigit()):
            self.pinned = identity


def _first(listed: Sequence[Listed], wanted: Identity) -> int | None:
    for place, one in enumerate(listed):
        uuid, address = one.identity.uuid, one.identity.pci_address
        same = uuid == wanted.uuid if uuid and wanted.uuid else address == wanted.pci_address != ""
        if same:
            return place
    return None
