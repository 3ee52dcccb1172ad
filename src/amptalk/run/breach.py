"""When a limit is exceeded and asking did not help: what `--on-breach` says. Pure.

A breach is a violation (two samples beyond the limit) after an appeal was measured to be in vain,
or of something the program is not asked for. What is used up (wall time, energy) is a breach at
once. CPU that the kernel's quota holds is none: what is read beyond it is the reading's own error,
which is larger when many short processes are started.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from amptalk.model.level import LimitState
    from amptalk.run.asking import Asking

ENDING_SECONDS = 10.0
"""Between SIGTERM and SIGKILL."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds before the first start anew, and before a later one at most."""
QUIET_SECONDS = 60.0
"""A program that ran for so long starts with the first pause again."""


class Breaches:
    """Which breaches begin, each told once until its violation is over."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def begun(
        self, states: Iterable[LimitState], asking: Asking, askable: Collection[str],
        *, quota: bool = False,
    ) -> list[str]:  # fmt: skip
        """A sentence for each breach that was not told yet; `quota` says that one holds CPU."""
        found = []
        for state in states:
            name = state.resource.name
            if not state.violated or (quota and name == "cpu"):
                self._told.discard(name)
                continue
            asked = asking.of(name)
            if name in self._told or (name in askable and not asked.in_vain):
                continue
            self._told.add(name)
            what = asked.text if name in askable else "it is not asked for this"
            found.append(f"{state.told}: exceeded; {what}")
        return found

    def used_up(self, name: str, text: str) -> list[str]:
        """The same for what is used up."""
        if name in self._told:
            return []
        self._told.add(name)
        return [text]

    def forget(self) -> None:
        """Begin anew with another program."""
        self._told.clear()


class Pauses:
    """The back-off between starts."""

    def __init__(self) -> None:
        self._next = FIRST_PAUSE

    def after(self, ran: float) -> float:
        """Seconds to wait after a program that ran for `ran` seconds.

        >>> pauses = Pauses()
        >>> [pauses.after(1.0) for _ in range(4)], pauses.after(100.0)
        ([1.0, 2.0, 4.0, 8.0], 1.0)
        """
        if ran >= QUIET_SECONDS:
            self._next = FIRST_PAUSE
        pause, self._next = self._next, min(2.0 * self._next, LONGEST_PAUSE)
        return pause
