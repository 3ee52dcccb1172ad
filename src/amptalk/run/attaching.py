"""`amptalk attach`: the same limits for what already runs, until it ends or `detach` comes.

What may be set is set and read back, what may not is said, and at the end everything is as it was.
It stays, because somebody has to watch, and to undo; a guardian undoes it when it is killed. What
was charged to a process before stays charged where it was: the kernel's cap is what the limit
leaves beyond that. A group that somebody else made counts all of it.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import isnan

from amptalk.actuators.guardian.guardian import Starter
from amptalk.actuators.guardian.starting import by_shell
from amptalk.actuators.journal.folder import JournalFolder, usual_folder
from amptalk.actuators.journal.journal import Journal
from amptalk.actuators.journal.restore import entries_of, restore
from amptalk.actuators.kernel.contract import Hold
from amptalk.actuators.kernel.memory import MemoryCap, exact_bytes
from amptalk.actuators.kernel.own_groups import OwnGroups
from amptalk.actuators.kernel.places import place_of
from amptalk.actuators.kernel.writing import read
from amptalk.model.errors import ActionError, ConfigurationError
from amptalk.model.resource import Resource
from amptalk.run.banner import lines_of
from amptalk.run.channel import Channel
from amptalk.run.holding import Holding
from amptalk.run.jobcontrol import JobControl
from amptalk.run.mistakes import Mistakes
from amptalk.run.options import RunOptions
from amptalk.run.reporting import say
from amptalk.run.target import (
    LIMIT_FILES,
    GivenGroups,
    Target,
    find_target,
    process_groups,
)
from amptalk.run.watching import Watching
from amptalk.sensors.capacity import Limit
from amptalk.sensors.files import SensorFault
from amptalk.sensors.identity import start_of
from amptalk.sensors.roots import Roots
from amptalk.sensors.suite import SensorSuite
from amptalk.sensors.usable import usable_cores

_LOOK = 0.25
"""Seconds between looks whether the target lives."""
_PATIENCE = 10.0
"""Seconds in which an attached process must have detached."""


class AttachedHolding(Holding):
    """What holds the limits of a target. `used_mb` was charged to a process before."""

    def __init__(
        self, target: Target, limits: Sequence[tuple[Resource, float]], cores: Limit,
        environment: Mapping[str, str], used_mb: float,
    ) -> None:  # fmt: skip
        super().__init__(limits, cores, pace=False, environment=environment)
        self._target = target
        self.memory = MemoryCap(lambda limit: exact_bytes(max(1.0, limit - used_mb)))

    def _starter(self) -> Starter:
        return by_shell  # this process has threads by now

    def _groups(self, journal: Journal) -> OwnGroups:
        if self._target.folders:
            return GivenGroups(self._roots, journal, self._target)
        return process_groups(self._roots, journal, self._target)

    def _ready(self, hold: Hold, controller: str) -> None:
        """A group is divided only where it is the target's alone. Raises `ActionError`."""
        if not self._target.folders:
            ours = set(self._target.members(self._roots))
            self._divisible(hold, controller, ours)


class Attach:
    """One target under limits."""

    def __init__(self, name: str, options: RunOptions, environment: Mapping[str, str]) -> None:
        """Raises `ConfigurationError` for no such target, and for limits."""
        self._roots = Roots()
        self._options = options
        self._control = JobControl()  # before any thread is started: they shall take no signal
        self._target = target = find_target(self._roots, name)
        cores = usable_cores(self._roots, target.process.pid)
        self._limits = options.resources(cores.amount)
        scope = "container" if target.folders else "application"
        self._suite = SensorSuite(scope, pid=target.process.pid)
        sample = self._suite.read()
        used = 0.0 if isnan(sample.memory_used_mb) else sample.memory_used_mb
        self._used = 0.0 if target.folders else used
        self._missing = dict(sample.missing)
        self._holding = AttachedHolding(target, self._limits, cores, environment, self._used)
        limit = {known.name: most for known, most in self._limits}.get("memory")
        if limit is not None and used >= limit:
            raise ConfigurationError(
                f"{name} uses {used:.0f} MB already, and the limit is {limit:g} MB: to cap it now "
                "would kill; give more, or have it use less first"
            )

    def planned(self) -> list[str]:
        """What would be set, and what it is now; nothing is changed."""
        members = self._target.members(self._roots)
        lines = [f"{self._target.name}: {len(members)} processes, {self._used:.0f} MB before"]
        limited = {known.name for known, _ in self._limits}
        plan = self._planned_given if self._target.folders else self._planned_own
        return lines + [plan(name, files) for name, files in LIMIT_FILES.items() if name in limited]

    def _planned_given(self, controller: str, files: tuple[str, str]) -> str:
        for version, folder in self._target.folders:
            path = f"{folder}/{files[version - 1]}"
            with suppress(ActionError):
                return f"{controller}: {path} holds {read(path)!r} and would be set"
        return f"{controller}: would not be set: {self._target.name} has no such controller"

    def _planned_own(self, controller: str, files: tuple[str, str]) -> str:
        try:
            place = place_of(self._roots, self._target.process.pid, controller)
        except ActionError as error:
            return f"{controller}: would not be set: {error}"
        return (
            f"{controller}: its processes would be moved into a group beneath {place.home}, whose "
            f"{files[place.version - 1]} would be set"
        )

    def run(self) -> int:
        """Hold the limits until the target ends or a signal comes; 0."""
        control, holding = self._control, self._holding
        channel = Channel(self._roots.proc, None, memory=False)
        try:
            holding.members = lambda: self._target.members(self._roots)
            holding.open()
            self._banner()
            watching = Watching(self._options, self._limits, holding, channel, self._suite)
            self._watch(control, watching)
            watching.acting.release()
        finally:
            holding.close()
        for name, one in watching.ranges().items():
            say(f"{name}: {one.peak:.4g} {one.unit} at most")
        for note in holding.notes:
            say(note)
        watching.close()
        channel.close()
        return 0

    def _banner(self) -> None:
        lines = lines_of(
            self._holding, {}, channels=lambda _: "nothing (it was not started by amptalk)",
            missing=self._missing, on_breach="warn",
        )  # fmt: skip
        for line in lines:
            say(line.text.replace("ASKED by nothing", "WATCH ONLY: asked by nothing"))
        if self._used and self._holding.held("memory"):
            say(f"{self._used:.0f} MB were charged before: the cap is on what comes on top")

    def _watch(self, control: JobControl, watching: Watching) -> None:
        due = time.monotonic()
        process, mistakes = self._target.process, Mistakes(say)
        while control.last is None:
            now = time.monotonic()
            if now >= due:
                due = now + mistakes.caught(watching.tick)
            control.wait(min(_LOOK, due - now))
            with suppress(SensorFault):
                if start_of(self._roots.proc, process.pid) == process.start:
                    continue
                if not (self._target.folders and self._target.members(self._roots)):
                    say(f"{self._target.name} has ended")
                    return


def detach(name: str, environment: Mapping[str, str]) -> int:
    """End what is attached to a target, and see that all is as before; 1 when nothing is."""
    roots = Roots()
    target = find_target(roots, name)
    path = usual_folder(environment, os.geteuid())
    if not os.path.isdir(path):
        say(f"nothing is attached to {name}: there is no journal in {path}")
        return 1
    folder = JournalFolder(path, create=False)
    try:
        owners = {
            entry.owner for entry in entries_of(folder)
            if entry.owner != target.process and _concerns(target, entry.change.path)
        }  # fmt: skip
        for owner in owners:
            with suppress(ProcessLookupError):
                os.kill(owner.pid, signal.SIGTERM)
            until = time.monotonic() + _PATIENCE
            while start_of(roots.proc, owner.pid) == owner.start and time.monotonic() < until:
                time.sleep(0.01)
            for result in restore(folder, roots.proc, owner=owner):
                say(result.outcome.text)
        left = [entry for entry in entries_of(folder) if entry.owner in owners]
    finally:
        folder.close()
    if left or not owners:
        say(f"{len(left)} changes remain" if left else f"nothing is attached to {name}")
        return 1
    say(f"{name} is as before")
    return 0


def _concerns(target: Target, path: str) -> bool:
    """Whether a change was made for a target."""
    ours = f"/amptalk-{target.process.pid}-{target.process.start}"
    return ours in path or any(path.startswith(f"{folder}/") for _, folder in target.folders)
