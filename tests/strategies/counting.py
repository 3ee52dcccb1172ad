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
from statistics import fmean, median
from typing import NamedTuple

from amptalk.model.decision import Strategy
from tests.strategies.loads import Episode, Machine, Run, episodes, run_loads

LIKELY = 0.5
OWN_SECONDS = 5
"""The machine's own work is what it was on average so long before a load begins."""
AT_ONCE = 10
"""A breach within these seconds of a load's beginning came with it."""
NOTICE = 5.0
"""Seconds before it begins that a load must be known for control to do something about it."""
CUT = 0.05
"""A share that fell by this much was cut."""


@dataclass(frozen=True)
class Warned:
    """Warnings against breaches that known demand causes, nothing being done about them."""

    warned: int = 0
    """Breaches that loads cause, the machine's own work being as it was before them …"""
    missed: int = 0
    """… or not."""
    grown_warned: int = 0
    """Breaches for which the machine's own work had to grow beside a load."""
    grown_missed: int = 0
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
        """Of the breaches that loads cause."""
        return self.warned / max(1, self.warned + self.missed)

    @property
    def recall_of_all(self) -> float:
        """Those included for which the machine's own work had to grow."""
        warned = self.warned + self.grown_warned
        return warned / max(1, warned + self.missed + self.grown_missed)

    @property
    def precision(self) -> float:
        """Of all warnings."""
        warned = self.warned + self.grown_warned
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


class Truth(NamedTuple):
    """What happens without control while some loads are there."""

    episode: Episode
    breach: int | None
    """Its first second; `None` without one."""
    by_loads: bool
    """Whether the loads break the limit with the machine's own work as it was before them."""


def truths(machine: type[Machine], seed: int, free: Run) -> Iterator[Truth]:
    """Times with loads that count, and what is true of them."""
    alone = run_loads(machine, None, seed, len(free.over), loaded=False)
    for episode in episodes(free.loads):
        if episode.cancelled or alone.breach(episode.told, episode.ends) is not None:
            continue
        breach = free.breach(episode.begins, episode.ends)
        own = fmean(alone.values[episode.begins - OWN_SECONDS : episode.begins])
        load = 0.0 if breach is None else sum(one.at(breach + 1) for one in episode.loads)
        yield Truth(episode, breach, own + load > machine.limit)


def count_warnings(
    machine: type[Machine], make: Callable[[], Strategy], seeds: Iterable[int], seconds: int = 1500
) -> Warned:
    """Warnings of a strategy that is only listened to."""
    counted = Warned()
    for seed in seeds:
        run = run_loads(machine, make(), seed, seconds, obeyed=False)
        for episode, breach, by_loads in truths(machine, seed, run):
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
                if by_loads:
                    counted += Warned(warned=warned, missed=1 - warned, leads=leads)
                else:
                    counted += Warned(grown_warned=warned, grown_missed=1 - warned, leads=leads)
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
        for episode, breach, _ in truths(machine, seed, free):
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
