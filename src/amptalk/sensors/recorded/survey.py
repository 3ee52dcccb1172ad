"""Look a device over: which files of the catalogue it has, under their real paths.

Links on the way are kept as links, so that the recorded tree can be read by the same paths. What
sleeps is left alone: nothing is read beneath a PCI device, or a GPU, that is suspended.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from fnmatch import fnmatchcase

from amptalk.sensors.recorded.catalogue import PLACES, Place, wanted
from amptalk.sensors.roots import Roots

_PCI = re.compile(r"[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_NOT_HERE = ("w1_bus_master",)
"""Parts of paths whose files take a second each: 1-Wire."""
_KNOWN_TO_THE_KERNEL = ("vendor", "device", "class", "name")
"""Files that are shown from memory, without asking the device."""


class Survey:
    """What one look at a device found. Paths are relative to `/`, in `proc` or `sys`."""

    def __init__(self, roots: Roots) -> None:
        self._bases = {"proc": os.path.realpath(roots.proc), "sys": os.path.realpath(roots.sys)}
        self.changing: dict[str, None] = {}
        self.fixed: dict[str, None] = {}
        self.links: dict[str, str] = {}
        self.folders: dict[str, None] = {}
        self.refused: dict[str, str] = {}
        """Files that are there, or may be, in a folder that may not be looked into: the errno."""
        for place in PLACES:
            self._look(place)
        used = {path.rpartition("/")[0] for path in (*self.changing, *self.fixed, *self.links)}
        inner = {f"{path}/" for path in used}
        self.folders = {
            path: None
            for path in self.folders
            if path not in used and not any(one.startswith(f"{path}/") for one in inner)
        }

    def real(self, path: str) -> str:
        """Where a path of the recording is on this machine."""
        base, _, rest = path.partition("/")
        return f"{self._bases[base]}/{rest}"

    def _look(self, place: Place) -> None:
        first, *parts = place.folder.split("/")
        found = [first]
        for part in parts:
            found = [one for folder in found for one in self._beneath(folder, part)]
        for folder in found:
            if any(one in folder for one in _NOT_HERE):
                continue
            self.folders[folder] = None
            self._files(folder, place.changing, self.changing)
            self._files(folder, place.fixed, self.fixed)
            for name in place.links:
                self._step(folder, name)

    def _beneath(self, folder: str, part: str) -> list[str]:
        """Real folders below one whose name matches, with the links to them noted."""
        if "*" not in part:
            names = [part]
        else:
            names = [name for name in self._names(folder) if fnmatchcase(name, part)]
        steps = (self._step(folder, name) for name in names)
        return [step for step in steps if step and self._is_folder(step)]

    def _is_folder(self, path: str) -> bool:
        """Whether it is one, or may be: it lies where this user may not look."""
        try:
            return stat.S_ISDIR(os.stat(self.real(path)).st_mode)
        except OSError as error:
            return error.errno in {errno.EACCES, errno.EPERM}

    def _names(self, folder: str) -> list[str]:
        try:
            return sorted(os.listdir(self.real(folder)))
        except OSError:
            return []

    def _step(self, folder: str, name: str) -> str:
        """One step down, through a link where it is one; empty where it leads elsewhere."""
        path = f"{folder}/{name}"
        try:
            os.readlink(self.real(path))
        except OSError:
            return path
        target = os.path.realpath(self.real(path))
        for base, top in self._bases.items():
            if target.startswith(f"{top}/"):
                goal = base + target[len(top) :]
                self.links[path] = os.path.relpath(goal, folder)
                return goal
        return ""

    def _files(self, folder: str, patterns: tuple[str, ...], found: dict[str, None]) -> None:
        plain = not any("*" in one or "[" in one for one in patterns)
        for name in patterns if plain else self._names(folder):
            path = f"{folder}/{name}"
            if not wanted(name, patterns):
                continue
            try:
                status = os.lstat(self.real(path))
            except OSError as error:
                if error.errno in {errno.EACCES, errno.EPERM}:
                    self.refused[path] = errno.errorcode[error.errno]
                continue
            readable = stat.S_ISREG(status.st_mode) and status.st_mode & 0o444
            if readable and path not in self.changing and path not in self.fixed:
                found[path] = None


def sleepers(survey: Survey) -> dict[str, str]:
    """For each file beneath a device that may sleep, the file that says whether it does."""
    statuses = {path for path in survey.changing if path.endswith("/power/runtime_status")}
    found = {}
    for path in (*survey.changing, *survey.fixed):
        parts = path.split("/")
        if parts[-2] == "power" or parts[-1] in _KNOWN_TO_THE_KERNEL:
            continue
        for depth in range(len(parts) - 1, 3, -1):
            status = "/".join((*parts[:depth], "power", "runtime_status"))
            if status in statuses:
                found[path] = status
                break
            if _PCI.fullmatch(parts[depth - 1]):
                break
    return found
