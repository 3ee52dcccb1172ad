"""Count over runs of `loads`: breaches by known demand that were warned of, or averted.

The truth is the same run without control. A breach is caused by loads when two values in a row
are beyond the limit while they are there, and the run without loads has no breach then. A
warning is an expectation of at least 0.5 between the announcement and the breach, before the
first value beyond the limit. Times in which work of the machine's own breaks the limit without
loads are left out, as are those in which a load was taken back before it began.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from statistics import median

from amptalk.model.decision import Strategy
from tests.strategies.loads import Episode, Machine, Run, episodes, run_loads

LIKELY = 0.5
AT_ONCE = 10
"""A breach within these seconds of a load's beginning was caused by it."""
NOTICE = 5.0
"""Seconds before it begins that a load must be known for control to do something about it."""
CUT = 0.05
"""A share that fell by this much was cut."""


@dataclass(frozen=True)
class Warned:
    """Warnings against breaches that known demand causes, nothing being done about them."""

    warned: int = 0
    """Breaches of loads that begin, and were warned of …"""
    missed: int = 0
    """… or not."""
    later_warned: int = 0
    """Breaches later on, when work of the machine's own grows beside a load."""
    later_missed: int = 0
    unknown: int = 0
    """Breaches that came no later than the first second in which a load was known: work
    admitted just now, without the gate that would hold it. They are left out."""
    false: int = 0
    quiet: int = 0
    """Neither warning nor breach."""
    leads: tuple[int, ...] = ()
    """Seconds from the first warning to the breach."""

    def __add__(self, other: Warned) -> Warned:
        return Warned(*[getattr(self, one.name) + getattr(other, one.name) for one in fields(self)])

    @property
    def recall(self) -> float:
        """Of the breaches of loads that begin."""
        return self.warned / max(1, self.warned + self.missed)

    @property
    def recall_of_all(self) -> float:
        """Those that come later included."""
        warned = self.warned + self.later_warned
        return warned / max(1, warned + self.missed + self.later_missed)

    @property
    def precision(self) -> float:
        """Of all warnings."""
        warned = self.warned + self.later_warned
        return warned / max(1, warned + self.false)

    @property
    def median_lead(self) -> float:
        return median(self.leads)


@dataclass(frozen=True)
class Held:
    """The same loads with the strategy in control."""

    breaches: int = 0
    """Of the run without control."""
    averted: int = 0
    at_once: int = 0
    """Of the breaches, those that the beginning of announced demand causes …"""
    averted_at_once: int = 0
    """… and how many of them did not come; known `NOTICE` seconds before."""
    quiet: int = 0
    cut_for_nothing: int = 0
    """Cuts made between announcement and end where there would have been no breach."""
    seconds: int = 0
    over: int = 0
    """True seconds beyond the limit."""
    wanted: float = 0.0
    done: float = 0.0

    def __add__(self, other: Held) -> Held:
        return Held(*[getattr(self, one.name) + getattr(other, one.name) for one in fields(self)])

    @property
    def lost(self) -> float:
        """Percent of the machine's own work that was not done."""
        return 100.0 * (1.0 - self.done / self.wanted)


def truths(machine: type[Machine], seed: int, free: Run) -> Iterator[tuple[Episode, int | None]]:
    """Episodes that count, with the second of the breach they cause."""
    alone = run_loads(machine, None, seed, len(free.over), loaded=False)
    for episode in episodes(free.loads):
        if not episode.cancelled and alone.breach(episode.told, episode.ends) is None:
            yield episode, free.breach(episode.begins, episode.ends)


def begins(episode: Episode, second: int) -> bool:
    """Whether a load of the episode began just before, or is about to."""
    return any(-1.0 <= second - load.begins <= AT_ONCE for load in episode.loads)


def count_warnings(
    machine: type[Machine], make: Callable[[], Strategy], seeds: Iterable[int], seconds: int = 1500
) -> Warned:
    """Warnings of a strategy that is only listened to."""
    counted = Warned()
    for seed in seeds:
        run = run_loads(machine, make(), seed, seconds, obeyed=False)
        for episode, breach in truths(machine, seed, run):
            until = episode.ends if breach is None else breach
            told = [
                second
                for second in range(episode.told, until)
                if run.probabilities[second] >= LIKELY and not run.over[second]
            ]
            if breach is None:
                counted += Warned(false=int(bool(told)), quiet=int(not told))
            elif breach <= episode.told:
                counted += Warned(unknown=1)
            else:
                warned = int(bool(told))
                leads = (breach - told[0],) if told else ()
                if begins(episode, breach):
                    counted += Warned(warned=warned, missed=1 - warned, leads=leads)
                else:
                    counted += Warned(later_warned=warned, later_missed=1 - warned, leads=leads)
    return counted


def count_held(
    machine: type[Machine],
    make: Callable[[], Strategy | None],
    seeds: Iterable[int],
    seconds: int = 1500,
) -> Held:
    """What a strategy in control averts and costs; with none, what comes by itself."""
    counted = Held()
    for seed in seeds:
        free = run_loads(machine, None, seed, seconds)
        run = run_loads(machine, make(), seed, seconds)
        counted += Held(seconds=seconds, over=sum(run.truly_over), wanted=run.wanted, done=run.done)
        for episode, breach in truths(machine, seed, free):
            if breach is None:
                before = run.shares[episode.told]
                cut = min(run.shares[episode.told : episode.ends]) < before - CUT
                counted += Held(quiet=1, cut_for_nothing=int(cut))
                continue
            averted = int(run.breach(episode.begins, episode.ends) is None)
            counted += Held(breaches=1, averted=averted)
            first = episode.loads[0]
            if first.begins - first.told >= NOTICE and breach <= episode.begins + AT_ONCE:
                came = run.breach(episode.begins, episode.begins + AT_ONCE) is not None
                counted += Held(at_once=1, averted_at_once=int(not came))
    return counted
