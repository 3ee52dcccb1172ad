"""Run the largest of several commands that fits: choose, run, fall back, learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, isnan

from amptalk.run.jobcontrol import JobControl
from amptalk.run.options import RunOptions, options_of
from amptalk.run.program import Ended, find_command
from amptalk.run.reporting import say
from amptalk.run.runner import Run
from amptalk.run.settings import Given
from amptalk.run.variants import Choice, Experience, choose, commands_of
from amptalk.sensors.roots import Roots
from amptalk.sensors.usable import available_mb


def run_largest(
    texts: Sequence[str], sources: Sequence[list[Given]], environment: Mapping[str, str]
) -> Ended:
    """Run the commands of `texts` until one fits; how that ended.

    Raises as `Run` does, for any of them before the first is started.
    """
    commands = commands_of(texts)
    options = options_of(commands, sources, variants=True)
    for command in commands:
        find_command(command[0], environment)
    experience = Experience(environment)
    limit = options.limits["memory"].amount.value if "memory" in options.limits else inf
    available = available_mb(Roots())
    room = limit if isnan(available) else min(limit, available)
    choices = choose(commands, experience.known, room)
    control = JobControl()
    ended: Ended | None = None
    for at, choice in enumerate(choices):
        say(choice.reason)
        last = at == len(choices) - 1
        run = Run(_with(options, choice, last=last), environment)
        ended = run.run(control)
        note = _learn(experience, run, choice)
        if note:
            say(note)
        if run.fitted or control.last is not None or last:
            break
        say(f"it did not fit ({_why(run)}): the next one")
    assert ended is not None  # noqa: S101 - there is at least one choice
    return ended


def _with(options: RunOptions, choice: Choice, *, last: bool) -> RunOptions:
    """A variant that does not fit makes room for the next one; the last one has none."""
    return options._replace(commands=(choice.command,), on_breach="warn" if last else "stop")


def _learn(experience: Experience, run: Run, choice: Choice) -> str:
    summary = run.summary
    if summary is None:
        return ""
    if not run.fitted:
        return experience.learn(choice.command, fitted=False, amount=run.memory_limit_mb)
    memory = summary.ranges.get("memory_used_mb")
    peak = summary.resident_mb if memory is None else memory.peak
    return experience.learn(choice.command, fitted=True, amount=peak)


def _why(run: Run) -> str:
    return run.breached or "killed at its memory limit"
