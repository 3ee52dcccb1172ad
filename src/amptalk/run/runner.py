"""One run from its first check to its last word: hold, start, watch, explain, undo.

The order matters. Limits are set before the program is forked and it is put under them before its
first instruction; sensors are opened once it runs, and what can wait until then is imported then.
At the end the kernel's counters are read before anything is undone, and everything is undone before
the last word is said.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING

from amptalk.model.errors import ActionError
from amptalk.run.banner import Line, lines_of
from amptalk.run.channel import Channel
from amptalk.run.holding import Holding
from amptalk.run.jobcontrol import JobControl
from amptalk.run.mistakes import Mistakes
from amptalk.run.options import BUDGETS, RunOptions
from amptalk.run.program import Ended, Program, adopt_orphans, find_command
from amptalk.run.reporting import Reporter, say
from amptalk.sensors.files import SensorFault
from amptalk.sensors.roots import Roots
from amptalk.sensors.usable import usable_cores

if TYPE_CHECKING:
    from threading import Thread

    from amptalk.actuators.pace import Pace
    from amptalk.model.appeal import Appeal
    from amptalk.run.guarding import Guarding
    from amptalk.run.summary import Summary
    from amptalk.run.watching import Watching

FIRST_LOOK = 0.1
"""Seconds after the start at which sensors are opened: shorter programs pay nothing for them."""
_OPENING = 0.01
"""Seconds between looks whether they are open."""
_SEEN_FIRST = frozenset({"gpu", "gpu_memory", "power", "temperature", "energy"})
"""Limits whose sensors are looked for before the start, to say whether there are any."""


_LEFT = (
    "the program has ended with status {}; what it left running stays under the limits until it "
    "has ended too, or until a signal ends the waiting"
)


class Run:
    """One command under limits. `environment` is the program's, `roots` where the kernel is."""

    def __init__(
        self, options: RunOptions, environment: Mapping[str, str], roots: Roots | None = None
    ) -> None:
        """Raises `CommandError` for what cannot be started, `ConfigurationError` for limits."""
        self.options = options
        self.roots = Roots() if roots is None else roots
        self.command = options.commands[0]
        self.path = find_command(self.command[0], environment)
        self._environment = environment
        cores = usable_cores(self.roots, os.getpid())
        self._limits = options.resources(cores.amount)
        self._holding = Holding(
            self._limits, cores, pace=options.pace, environment=environment, roots=self.roots,
            protect=options.protect,
        )  # fmt: skip
        self._budgets = options.budgets()
        self._channel = Channel(
            self.roots.proc, options.ask_signal, memory="memory" in options.limits
        )
        self._lines: list[Line] = []
        self._watching: Watching | None = None
        self._opening: Thread | None = None
        self._guarding: Guarding | None = None
        self._mistakes = Mistakes(self.warn)
        self._pace: Pace | None = None
        self._report = Reporter(options, self.roots.proc, self._limits, self._holding)
        self._starts = 0
        self.breached = ""
        """The breach for which the program was ended by us."""
        self.summary: Summary | None = None
        """Of a run that is over."""

    @property
    def fitted(self) -> bool:
        """Whether it was not ended because of a limit."""
        return not self.breached and not self._report.kills > 0

    @property
    def memory_limit_mb(self) -> float:
        """The limit on memory, `inf` without one."""
        return {known.name: limit for known, limit in self._limits}.get("memory", inf)

    def run(self, control: JobControl) -> Ended:
        """Run it to its end and undo everything. Raises `CommandError` when it does not start."""
        holding = self._holding
        try:
            holding.open()
            adopt_orphans()
            if _SEEN_FIRST & {*self.options.limits} or self.options.record is not None:
                self._open_watching()
            ended, summary = self._programs(control)
        finally:
            self._end()
        self.summary = summary._replace(notes=(*summary.notes, *holding.notes))
        self._report.tell(self.summary, self._watching)
        self._channel.close()
        return ended

    def _programs(self, control: JobControl) -> tuple[Ended, Summary]:
        """Start the program, and again where that is asked for."""
        from amptalk.run.breach import Pauses

        pauses = Pauses()
        while True:
            begun = time.monotonic()
            self._report.begin()
            program = self._start(control)
            ended = self._watch(program, control, begun)
            summary = self._report.summary(
                ended, self._watching, control.last, self.breached
            )._replace(lines=self._lines, starts=self._starts)
            full = self._report.kills > 0 and ended.killed
            if self.options.on_breach != "restart" or not (self.breached or full):
                return ended, summary
            pause = pauses.after(time.monotonic() - begun)
            self.warn(f"{summary.why}; started anew in {pause:g} s")
            control.last = None
            until = time.monotonic() + pause
            while time.monotonic() < until and control.last is None:
                control.wait(until - time.monotonic())
            if control.last is not None:
                return ended, summary

    def _start(self, control: JobControl) -> Program:
        holding, channel = self._holding, self._channel
        environment = channel.adjusted({**self._environment, **holding.variables()})
        self.breached = ""
        control.take_pending()
        program = Program(
            self.path, self.command, environment, control.before, channel.keep,
            doors=holding.doors(),
        )  # fmt: skip
        try:
            program.enter()
            holding.narrow(program.pid)
        except ActionError:
            program.cancel()
            raise
        if not self._starts:
            self._banner()
        self._starts += 1
        channel.serve(program)
        control.program = program
        self._forget()
        program.release()
        gc.freeze()
        gc.enable()
        if control.last is not None:  # it came before there was a program
            program.send(control.last.number)
        holding.members = self._members
        if holding.paced:
            self._begin_pace(control)
        return program

    def _forget(self) -> None:
        """Of what an earlier program was asked nothing counts."""
        if self._watching is not None:
            self._watching.acting.forget()

    def _members(self) -> list[int]:
        """The program's processes, those that it left included."""
        from amptalk.sensors.procstat import family

        with suppress(SensorFault):
            return family(self.roots.proc, os.getpid(), self._holding.helpers)[1:]
        return []

    def _begin_pace(self, control: JobControl) -> None:
        from amptalk.actuators.pace import Pace

        holding = self._holding
        assert holding.journal is not None  # noqa: S101 - `paced` says so
        self._pace = control.pace = Pace(
            self.roots.proc, holding.journal, holding.allowed_cores, self._members
        )
        self._pace.start()

    def _banner(self) -> None:
        missing = {} if self._watching is None else self._watching.missing()
        budgets = {BUDGETS[name]: limit for name, limit in self._budgets.items()}
        self._lines = lines_of(
            self._holding, budgets, channels=self._channel.text, missing=missing,
            on_breach=self.options.on_breach,
        )  # fmt: skip
        if self.options.quiet or self.options.json:
            return
        for line in self._lines:
            say(line.text)
        for note in self._holding.notes:
            say(note)
        self._holding.notes.clear()

    def _watch(self, program: Program, control: JobControl, begun: float) -> Ended:
        """Tick until the program and all that it left have ended."""
        self._guarding = None
        due, told = begun + FIRST_LOOK, False
        while program.ended is None or control.left:
            control.wait(due - time.monotonic())
            if program.ended is not None and control.left and not told:
                control.reap()  # a process that it left may have ended with it
                if control.left:
                    told = True
                    if not self.breached:
                        self.warn(_LEFT.format(program.ended.shell_status))
                    control.last = None
            if told and control.last is not None:
                if control.last.sender:
                    self.send_all(control.last.number)
                break
            now = time.monotonic()
            if now >= due and (program.ended is None or control.left):
                due = now + self._look(now, begun)
        if self._pace is not None:
            self._pace.stop()
            self._pace = control.pace = None
        assert program.ended is not None  # noqa: S101 - the loop has seen its end
        return program.ended

    def _look(self, now: float, begun: float) -> float:
        """Run one tick, if sensors are open; seconds until the next."""
        if not self._opened():
            return _OPENING
        wait = self._mistakes.caught(lambda: self._open_watching().tick())
        return min(wait, self._mistakes.caught(lambda: self._guard(begun).look(now)))

    def _guard(self, begun: float) -> Guarding:
        if self._guarding is None:
            from amptalk.run.guarding import Guarding

            self._guarding = Guarding(self, begun)
        return self._guarding

    def _opened(self) -> bool:
        """Whether sensors are open; a thread opens them, so that an end is never missed."""
        if self._opening is None and self._watching is None:
            import threading

            self._opening = threading.Thread(target=self._open_quietly, daemon=True)
            self._opening.start()
        return self._opening is None or not self._opening.is_alive()

    def _open_quietly(self) -> None:
        with suppress(Exception):  # the tick that follows meets it again, and tells
            self._open_watching()

    def _open_watching(self) -> Watching:
        if self._watching is None:
            from amptalk.run.watching import Watching

            self._watching = Watching(self.options, self._limits, self._holding, self._channel)
        return self._watching

    @property
    def watching(self) -> Watching | None:
        """The engine, once there is one."""
        return self._watching

    def ask(self, appeal: Appeal) -> None:
        """Ask the program for less."""
        self._channel.ask(appeal)

    def warn(self, text: str) -> None:
        """Tell what went wrong, unless it is told as JSON at the end."""
        if self.options.json:
            self._holding.notes.append(text)
        else:
            say(text)

    def send_all(self, number: int) -> None:
        """Send a signal to every process of the program."""
        for pid in self._members():
            with suppress(OSError):
                os.kill(pid, number)

    def _end(self) -> None:
        """Undo everything; idempotent."""
        watching = self._watching
        if watching is not None:
            watching.acting.release()
        self._holding.close()
        adopt_orphans(adopt=False)  # a guardian of another run must not become our child
