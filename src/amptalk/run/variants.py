"""Which of several commands is run: the largest that fits now, by what was learned of earlier runs.

Commands are given largest first. One whose need is known and fits is taken; one whose need is
known and does not fit is passed over; one of which nothing is known is run, and the next one is
taken when it turns out not to fit. What each needs is kept in a file between runs: the most memory
of its newest runs that fitted, and the limits that were too small for it.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from math import inf, isnan
from typing import Any, NamedTuple

from amptalk.actuators.jobs.learned_file import load, save
from amptalk.model.errors import ConfigurationError

MARGIN = 1.1
"""Times what it took at most, or did not fit in, that a command is expected to need."""
_KEPT = 10
"""Newest runs whose peaks are remembered."""
_COMMANDS = 200
"""Commands that are remembered: those that ran last."""
_FILE = "amptalk/runs.json"


class Need(NamedTuple):
    """What is known of one command, MB of memory."""

    peaks: tuple[float, ...] = ()
    """Of its newest runs that fitted, oldest first."""
    too_small: float = 0.0
    """The largest limit that it did not fit in since."""

    @property
    def memory_mb(self) -> float | None:
        """What it needs; `None` when nothing is known."""
        return MARGIN * max(*self.peaks, self.too_small, 0.0) or None

    def fitted(self, peak: float) -> Need:
        """With one more run that fitted."""
        small = self.too_small if self.too_small > peak else 0.0
        return Need((*self.peaks, peak)[-_KEPT:], small)

    def failed(self, limit: float) -> Need:
        """With one more run that did not fit in a limit."""
        return self._replace(too_small=max(self.too_small, limit))


class Choice(NamedTuple):
    """One command that is to be run, and why."""

    command: tuple[str, ...]
    reason: str
    sure: bool
    """False when it is run to find out whether it fits."""


def choose(
    commands: Sequence[Sequence[str]], known: Mapping[str, Need], room_mb: float
) -> list[Choice]:
    """Commands in the order in which they are to be run, until one fits; at least one.

    `room_mb` is what may be used: the limit, or what is available where that is less.
    """
    chosen: list[Choice] = []
    for command in commands:
        name = shlex.join(command)
        need = known.get(name, Need()).memory_mb
        if need is None:
            text = f"{name}: nothing is known of it, so it is run"
            chosen.append(Choice(tuple(command), text, sure=False))
        elif need <= room_mb:
            text = f"{name}: needs {need:.0f} MB by earlier runs, {_room(room_mb)}: it fits"
            return [*chosen, Choice(tuple(command), text, sure=True)]
    if not chosen or tuple(commands[-1]) != chosen[-1].command:
        last = tuple(commands[-1])
        text = f"{shlex.join(last)}: the smallest; by earlier runs none fits in {room_mb:.0f} MB"
        chosen.append(Choice(last, text, sure=True))
    return chosen


def commands_of(texts: Sequence[str]) -> list[list[str]]:
    """Commands as they are written on a command line. Raises `ConfigurationError`."""
    commands = []
    for text in texts:
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise ConfigurationError(f"--try {text!r} cannot be read: {error}") from None
        if not words:
            raise ConfigurationError("--try '': the command is empty")
        commands.append(words)
    return commands


class Experience:
    """What was learned, in a file. Raises `ConfigurationError` for one that cannot be used."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        home = environment.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
        self.path = os.path.join(home, _FILE)
        self.known = {name: _need(plain) for name, plain in load(self.path).items()}

    def learn(self, command: Sequence[str], *, fitted: bool, amount: float) -> str:
        """Take note of a run: its peak, or the limit it did not fit in; why not, if not."""
        if isnan(amount) or amount == inf or amount <= 0.0:
            return ""
        name = shlex.join(command)
        before = self.known.pop(name, Need())
        self.known[name] = before.fitted(amount) if fitted else before.failed(amount)
        self.known = dict(list(self.known.items())[-_COMMANDS:])
        try:
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
            save(self.path, {one: need._asdict() for one, need in self.known.items()})
        except OSError as error:
            return f"what was learned is not kept: {self.path}: {error.strerror}"
        return ""


def _need(plain: Any) -> Need:
    try:
        return Need(tuple(float(peak) for peak in plain["peaks"]), float(plain["too_small"]))
    except (TypeError, ValueError, KeyError):
        return Need()


def _room(room_mb: float) -> str:
    return "no limit" if room_mb == inf else f"{room_mb:.0f} MB may be used"
