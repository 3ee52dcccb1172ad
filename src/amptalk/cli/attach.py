"""`amptalk attach` and `amptalk detach`: limits for what already runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from amptalk.model.errors import ConfigurationError

_USAGE = """usage: amptalk attach PID|UNIT|CGROUP [--dry-run] [SETTINGS]
       amptalk detach PID|UNIT|CGROUP

Put a process and what it started, a systemd unit or a control group under limits, without a
restart. It stays until the target ends, a signal comes (Ctrl-C) or `amptalk detach` is run, and
then puts everything back. --dry-run says what would be set and what it is now. Settings are those
of `amptalk run`: limits, --strategy, --record, --interval.
"""
_NOT_HERE = frozenset({
    "pace", "on_breach", "ask_signal", "json", "quiet", "wall_time", "energy", "metrics",
})  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    """Attach until it is over; returns the exit status."""
    from amptalk.cli.run import parsed
    from amptalk.run.attaching import Attach
    from amptalk.run.options import options_of
    from amptalk.run.reporting import say
    from amptalk.run.settings import from_environment, from_flags

    words = [word for word in arguments if word != "--dry-run"]
    if not words or words[0] in {"--help", "-h"}:
        sys.stdout.write(_USAGE)
        return 0 if words else 2
    target, *rest = words
    flags, tries, _, command = parsed(rest)
    wrong = [f"--{name.replace('_', '-')}" for name, _ in flags if name in _NOT_HERE]
    if wrong or tries or command:
        what = [*wrong, *(["--try"] if tries else []), *command][0]
        raise ConfigurationError(f"{what} cannot be given to attach: `amptalk attach --help`")
    options = options_of([[target]], [from_flags(flags), from_environment(os.environ)])
    attached = Attach(target, options, os.environ)
    if "--dry-run" in arguments:
        for line in attached.planned():
            say(line)
        return 0
    return attached.run()


def end(arguments: Sequence[str]) -> int:
    """Detach; 1 when nothing was attached or something remains."""
    from amptalk.run.attaching import detach

    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stdout.write(_USAGE)
        return 2
    return detach(arguments[0], os.environ)
