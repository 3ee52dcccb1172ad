"""What a change is that outlives the process that made it, and its text in the journal.

Five kinds are known, and of each only the files that are named here. A journal is kept where
only its user writes; even so no entry can make `restore` write to any other file.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from amptalk.model.errors import JournalError
from amptalk.sensors.cgroups import OURS
from amptalk.sensors.identity import Identity

VALUE, GROUP, CONTROLLERS, STOPPED = "value", "group", "controllers", "stopped"
GPU = "gpu"
GROUP_FILES = frozenset({
    "memory.max", "memory.high", "memory.limit_in_bytes", "cpu.max", "cpu.cfs_quota_us",
    "cpu.cfs_period_us", "cpu.weight", "cpu.shares", "pids.max", "cgroup.freeze", "freezer.state",
})  # fmt: skip
"""Values of control groups that may be changed, in groups that we made."""
_DEVICE = (
    r"/cpufreq/policy[0-9]+/scaling_max_freq"
    r"|/powercap/intel-rapl(-mmio)?:[0-9a-f]+/constraint_[0-9]+_power_limit_uw"
    r"|/(ACPI000D:[0-9a-f]+|hwmon[0-9]+)/power1_cap"
)
"""Ends of the files of devices that may be changed."""
_GIVEN_GROUP = (
    r"/fs/cgroup/.+/(memory\.max|memory\.limit_in_bytes|cpu\.max|cpu\.cfs_(quota|period)_us)"
)
"""Limits of groups that somebody else made, which `amptalk attach` was told to change."""
_OF_A_GPU = r"/gpu/GPU-[0-9A-Za-z-]+/(power_limit|locked_clocks)"
_SCORE = "oom_score_adj"
_LISTED = "cgroup.subtree_control"
_FORMAT = 1


class Change(NamedTuple):
    """One change, with all that undoing it takes."""

    kind: str
    """`value`: a file holds another text. `gpu`: so does a value of a GPU, by its driver.
    `group`: a control group was made and processes moved into it. `controllers`: a group hands more
    controllers down to those beneath. `stopped`: a process may be stopped by a signal at any time
    from now on."""
    path: str
    """The file, or the folder of the group or of the process."""
    original: str
    """The text before; of a group the folder that its processes come from."""
    ours: tuple[str, ...] = ()
    """Texts that may stand there by us: the one before and the one after a write; for
    `controllers` those that were added."""
    process: tuple[int, int] | None = None
    """Whose file it is: pid and start, for files of a process and for a stopped one."""


class Entry(NamedTuple):
    """A change in the journal, and who made it."""

    owner: Identity
    number: int
    """Counts an owner's changes; the later one is undone first."""
    change: Change

    @property
    def name(self) -> str:
        """Its file's name."""
        return f"{self.owner.pid}-{self.owner.start}-{self.number:06d}.json"


def to_text(entry: Entry) -> bytes:
    """An entry as its file holds it."""
    plain = {
        "format": _FORMAT,
        "owner": entry.owner._asdict(),
        "number": entry.number,
        "change": entry.change._asdict(),
    }
    return json.dumps(plain, indent=1).encode() + b"\n"


def from_text(data: bytes, name: str) -> Entry:
    """Read the entry of this name. Raises `JournalError` for anything but what `to_text` gives."""
    try:
        plain: Any = json.loads(data)
        if plain["format"] != _FORMAT:
            raise JournalError(
                f"{name} has format {plain['format']!r}, this version reads {_FORMAT}: use the "
                "version that wrote it"
            )
        owner, change = plain["owner"], plain["change"]
        process = change["process"]
        entry = Entry(
            Identity(int(owner["pid"]), int(owner["start"]), str(owner["boot"]),
                     str(owner["namespace"])),
            int(plain["number"]),
            Change(
                str(change["kind"]), str(change["path"]), str(change["original"]),
                tuple(str(text) for text in change["ours"]),
                None if process is None else (int(process[0]), int(process[1])),
            ),
        )  # fmt: skip
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise JournalError(f"{name} is not an entry of the journal: {error!r}") from None
    why = wrong(entry.change)
    if why or entry.name != name:
        raise JournalError(f"{name} is left alone: {why or 'it is named for another entry'}")
    return entry


def wrong(change: Change) -> str:
    """Why a change is none of those that are made; empty when it is."""
    if not change.path.startswith("/") or ".." in change.path.split("/"):
        return f"{change.path!r} is not an absolute path"
    if _is_known(change):
        return ""
    return f"no {change.kind} of {change.path!r} is changed by this program"


def _is_known(change: Change) -> bool:
    """Whether changes of this kind are made to its path; patterns only where nothing else tells."""
    path = change.path
    folder, _, file = path.rpartition("/")
    name = folder.rpartition("/")[2]
    if change.kind == GROUP:
        return file.startswith(OURS) and change.original == folder
    if change.kind == CONTROLLERS:
        return file == _LISTED
    if change.kind == STOPPED:
        return change.process is not None and file == str(change.process[0])
    if change.kind == GPU:
        return re.fullmatch(_OF_A_GPU, path) is not None
    if change.kind == VALUE:
        ours = file in GROUP_FILES and name.startswith(OURS)
        return ours or _is_score(change, name, file) or _ends_as(f"{_DEVICE}|{_GIVEN_GROUP}", path)
    return False


def _ends_as(pattern: str, path: str) -> bool:
    """Whether the last folders and the file of a path are what a pattern says."""
    ends = re.compile(pattern)
    return any(ends.fullmatch(path, start) for start, one in enumerate(path) if one == "/")


def _is_score(change: Change, name: str, file: str) -> bool:
    """Whether a file is the score of the process that the change is about."""
    return file == _SCORE and change.process is not None and name == str(change.process[0])
