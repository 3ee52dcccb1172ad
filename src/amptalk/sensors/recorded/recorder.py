"""Keep what a device's sensor files say over time.

A frame is read every `interval` seconds. The device is looked over at the start and every 60 s;
in between only files that change are read. A frame holds what is new, so a quiet device takes
little room. Whatever is not kept is listed with its reason. Nothing is written to the device, and
what sleeps is not woken.

Replaying is for `tree` and the driver above; which files these are, for `catalogue`.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from amptalk.clock import Clock, SystemClock
from amptalk.sensors.files import SensorFault, exists, text_or_nothing
from amptalk.sensors.recorded import groups as control_groups
from amptalk.sensors.recorded.format import (
    FILE_BYTES,
    MOST_FILES,
    WHOLE_BYTES,
    About,
    Content,
    Failed,
    Frame,
    RecordingError,
    Writer,
)
from amptalk.sensors.recorded.groups import Groups
from amptalk.sensors.recorded.patience import Patience
from amptalk.sensors.recorded.processes import process_files
from amptalk.sensors.recorded.scrub import Scrubber, names_of_this_machine
from amptalk.sensors.recorded.survey import Survey, sleepers
from amptalk.sensors.roots import Roots

_GONE = ("ENOENT", "ESRCH")
"""A file ended between looking and reading, as those of a process do."""
LOOK_AGAIN = 60.0
"""Seconds after which the device is looked over anew."""


class Kept(NamedTuple):
    """What a recording came to."""

    frames: int
    files: int
    bytes: int
    seconds: float
    left_out: Mapping[str, str]
    """Path to the reason why it was not kept, or not always."""
    replaced: int
    """Identifiers that were replaced."""


class Recorder:
    """Reads frames of one device. Without `pid`, of processes only this one's groups are kept."""

    def __init__(
        self,
        roots: Roots | None = None,
        *,
        pid: int | None = None,
        clock: Clock | None = None,
        scrubber: Scrubber | None = None,
    ) -> None:
        """Raises `RecordingError` when there is no process `pid`."""
        self._roots = Roots() if roots is None else roots
        self._clock: Clock = SystemClock() if clock is None else clock
        self._pid = os.getpid() if pid is None else pid
        self._of_application = pid is not None
        if pid is not None and not exists(f"{self._roots.proc}/{pid}"):
            raise RecordingError(f"there is no process {pid}: give the pid of a running one")
        self._groups = Groups(self._roots, self._pid)
        self._patience = Patience()
        self.scrubber = Scrubber(names_of_this_machine()) if scrubber is None else scrubber
        self._said: dict[str, Content] = {}
        self._linked: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._seldom: set[str] = set()
        """Paths that are read only when the device is looked over."""
        self._looked_at = self._begun = 0.0
        self.left_out: dict[str, str] = {}
        """Path to the reason why it is not kept, or not always."""

    @property
    def files(self) -> int:
        """How many files are kept."""
        return len(self._said)

    def about(self, interval: float, version: str) -> About:
        """Say what is recorded, for the file that heads a recording."""
        system = os.uname()
        sys = self._roots.sys
        model = text_or_nothing(f"{self._roots.proc}/device-tree/model").strip("\0 ")
        named = [text_or_nothing(f"{sys}/class/dmi/id/{n}") for n in ("sys_vendor", "product_name")]
        shown = self._scrubbed(model or " ".join(filter(None, named)))
        return About(
            device=shown, machine=system.machine, kernel=self._scrubbed(system.release),
            started=float(int(self._clock.time())), interval=interval,
            page_size=os.sysconf("SC_PAGE_SIZE"), pid=self._pid,
            application=self._of_application, amptalk=version, left_out=self._shown_left_out(),
        )  # fmt: skip

    def _scrubbed(self, text: str) -> str:
        return self.scrubber.file("", text.encode()).decode()

    def _shown_left_out(self) -> dict[str, str]:
        return {self._shown(path): why for path, why in self.left_out.items()}

    def frame(self) -> Frame:
        """Read what has changed since the last frame; all there is at the first."""
        now = self._clock.monotonic()
        first = not self._said
        look = first or now - self._looked_at >= LOOK_AGAIN
        if first:
            self._begun = now
        if look:
            self._survey = Survey(self._roots)
            self._sleepers = sleepers(self._survey)
            self._looked_at = now
        found: dict[str, Content] = {}
        links = dict(self._survey.links)
        self._read_device(found, look=look)
        self._read_groups(found, look=look)
        links["proc/self"] = str(self._pid)
        if self._of_application:
            files, more = process_files(self._roots, self._pid)
            self._read(found, dict.fromkeys(files))
            links.update(more)
        folders = tuple(self._survey.folders) if first else ()
        return Frame(
            round(now - self._begun, 3), self._news(found, look=look), self._relinked(links),
            tuple(map(self._shown, folders)),
        )  # fmt: skip

    def _read_device(self, found: dict[str, Content], *, look: bool) -> None:
        survey = self._survey
        paths = [*survey.changing, *(survey.fixed if look else ())]
        first = [path for path in paths if path.endswith("/power/runtime_status")]
        self._read(found, dict.fromkeys(first))
        awake = []
        for path in paths:
            status, shown = self._sleepers.get(path), self._shown(path)
            if status is not None and found.get(self._shown(status)) == b"suspended\n":
                self.left_out[path] = "belongs to a device that slept: it was not woken"
                self._keep_last(found, shown)
            elif shown not in found:
                awake.append(path)
        self._read(found, dict.fromkeys(awake))
        if look:
            refused = {self._shown(path): Failed(name) for path, name in survey.refused.items()}
            found.update(refused)
            self._seldom = {self._shown(path) for path in survey.fixed} | set(refused)

    def _read_groups(self, found: dict[str, Content], *, look: bool) -> None:
        try:
            membership, mounts = self._groups.tables()
        except SensorFault:
            return  # the process has ended, or there are no control groups
        found[f"proc/{self._pid}/cgroup"] = membership
        found[f"proc/{self._pid}/mountinfo"] = mounts
        real: dict[str, str | None] = {}
        fixed = control_groups.FIXED if look else ()
        for folder in self._groups.folders():
            for name in (*control_groups.CHANGING, *fixed):
                if exists(f"{folder.real}/{name}"):
                    real[f"{folder.shown}/{name}"] = f"{folder.real}/{name}"
            self._seldom.update(f"{folder.shown}/{name}" for name in fixed)
        self._read(found, real)

    def _read(self, found: dict[str, Content], paths: Mapping[str, str | None]) -> None:
        """Read files, those without a place of their own where their path says."""
        places = {path: place or self._survey.real(path) for path, place in paths.items()}
        answers = self._patience.read(list(places.values()))
        for path, place in places.items():
            shown, answer = self._shown(path), answers.get(place)
            reason = self._patience.hung.get(place)
            if reason is not None:
                self.left_out[path] = reason
            if answer is None:
                self._keep_last(found, shown)  # not asked this time
            elif isinstance(answer, Failed):
                if answer.errno not in _GONE:
                    found[shown] = answer
            elif len(answer) > FILE_BYTES:
                self.left_out[path] = f"larger than {FILE_BYTES // 1024} KiB"
            else:
                found[shown] = self.scrubber.file(path, answer)

    def _keep_last(self, found: dict[str, Content], shown: str) -> None:
        if shown in self._said:
            found[shown] = self._said[shown]

    def _shown(self, path: str) -> str:
        """The path as it is kept."""
        name = self._names.get(path)
        if name is None:
            name = self._names[path] = self.scrubber.identifiers(path)
        return name

    def _news(self, found: dict[str, Content], *, look: bool) -> dict[str, Content]:
        """What is other than at the last frame; what was not found again is gone."""
        said = self._said
        news = {
            path: content
            for path, content in found.items()
            if path not in said or said[path] != content
        }
        for path in list(said):
            if path not in found and (look or path not in self._seldom):
                news[path] = None
                del said[path]
        said.update({path: content for path, content in news.items() if content is not None})
        return news

    def _relinked(self, links: dict[str, str]) -> dict[str, str | None]:
        shown = {self._shown(path): self.scrubber.identifiers(to) for path, to in links.items()}
        news: dict[str, str | None] = {
            path: target for path, target in shown.items() if self._linked.get(path) != target
        }
        news.update(dict.fromkeys(path for path in self._linked if path not in shown))
        self._linked = shown
        return news


def record(  # noqa: PLR0917 - a recorder, where to, how long and how often
    recorder: Recorder,
    folder: str,
    seconds: float,
    interval: float,
    version: str,
    tell: Callable[[int, int], None] | None = None,
) -> Kept:
    """Record for `seconds` into a new folder; ends early, and properly, at KeyboardInterrupt.

    `tell` is called after each frame with the number of frames and of bytes so far. Raises
    `RecordingError` when the folder cannot be used.
    """
    about = recorder.about(interval, version)
    writer = Writer(folder, about)
    begun = time.monotonic()
    due, pause = begun, threading.Event()
    try:
        while True:
            frame = recorder.frame()
            if recorder.files > MOST_FILES:
                recorder.left_out["everything after"] = f"more than {MOST_FILES} files"
                break
            if not writer.add(frame):
                text = f"the recording has reached {WHOLE_BYTES >> 20} MB"
                recorder.left_out["everything after"] = text
                break
            if tell is not None:
                tell(writer.frames, writer.bytes)
            due = max(due + interval, time.monotonic())
            if due > begun + seconds:
                break
            pause.wait(due - time.monotonic())
    except KeyboardInterrupt:
        pass
    finally:
        last = about._replace(left_out=recorder.about(interval, version).left_out)
        writer.conclude(last)
        writer.close()
    return Kept(
        writer.frames, recorder.files, writer.bytes, time.monotonic() - begun,
        last.left_out, recorder.scrubber.replaced,
    )  # fmt: skip
