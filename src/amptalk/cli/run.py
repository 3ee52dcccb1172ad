"""`amptalk run`: any program, in any language, under limits that are proved to hold.

Everything it says goes to standard error; standard output is the program's. The exit status is the
program's, too: 126 and 127 as of a shell when it cannot be started, 2 for bad input.

The command line is read here, by the table of `run.settings`: `argparse` would double what a start
takes beyond that of the interpreter.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

from amptalk.model.errors import ConfigurationError
from amptalk.run.settings import (
    BY_FLAG,
    CONFIG,
    SETTINGS,
    from_environment,
    from_file,
    from_flags,
)

_USAGE = "usage: amptalk run [SETTINGS] [--] COMMAND [ARGUMENTS]"
_ABOUT = (
    "Run a program under limits. Each setting is also read from the environment "
    "(AMPTALK_MEMORY=1.5G)\nand from the table [run] of a TOML file. What it says goes to standard "
    "error. The exit status is\nthe program's; 126 and 127 when it cannot be started, 2 for bad "
    "input: nothing was started."
)
_COLUMN = 26


def main(arguments: Sequence[str]) -> int:
    """Run the program and end as it does; returns the status only when it was not started."""
    if arguments[:1] in (["--help"], ["-h"]):
        sys.stdout.write(help_text())
        return 0
    gc.disable()  # until the program runs: looking for garbage would only make it wait
    try:
        return _run(arguments)
    finally:
        gc.enable()


def _run(arguments: Sequence[str]) -> int:
    from amptalk.run.jobcontrol import JobControl, leave_like
    from amptalk.run.options import options_of
    from amptalk.run.program import CommandError
    from amptalk.run.reporting import say
    from amptalk.run.runner import Run

    _occupy_closed()
    flags, tries, config, command = parsed(arguments)
    sources = [from_flags(flags), from_environment(os.environ)]
    path = config or os.environ.get(CONFIG)
    if path:
        sources.append(from_file(path))
    try:
        if tries:
            if command:
                raise ConfigurationError(f"--try and the command {command[0]!r}: give one of them")
            from amptalk.run.trying import run_largest

            leave_like(run_largest(tries, sources, os.environ))
        leave_like(Run(options_of([command], sources), os.environ).run(JobControl()))
    except CommandError as error:
        say(str(error))
        return error.status


Flags = list[tuple[str, str]]
"""Settings by name, with the text of each."""


def parsed(arguments: Sequence[str]) -> tuple[Flags, list[str], str, list[str]]:
    """Settings, variants, the file, and the command. Raises `ConfigurationError`.

    The command begins with the first word that is no setting, or after `--`.
    """
    flags: Flags = []
    tries: list[str] = []
    config, rest = "", list(arguments)
    while rest and rest[0].startswith("-"):
        word = rest.pop(0)
        if word == "--":
            break
        flag, equals, text = word.partition("=")
        known = BY_FLAG.get(flag)
        if known is None and flag not in {"--config", "--try"}:
            raise ConfigurationError(f"{flag} is no setting: `amptalk run --help` lists them")
        takes = known is None or bool(known.takes)
        if takes and not equals:
            if not rest:
                raise ConfigurationError(f"{flag} needs a value")
            text = rest.pop(0)
        if not takes and equals:
            raise ConfigurationError(f"{flag} takes no value")
        if flag == "--try":
            tries.append(text)
        elif known is None:
            config = text
        else:
            flags.append((known.name, text if takes else "yes"))
    return flags, tries, config, rest


def help_text() -> str:
    """What `--help` prints."""
    lines = [_USAGE, "", _ABOUT, ""]
    for setting in SETTINGS:
        flag = f"  {setting.flag} {setting.takes}".rstrip()
        allowed = f" ({', '.join(setting.allowed)})" if setting.allowed else ""
        gap = "\n" + " " * _COLUMN if len(flag) >= _COLUMN - 1 else " " * (_COLUMN - len(flag))
        lines.append(f"{flag}{gap}{setting.text}{allowed}")
    lines += [
        f"{'  --try COMMAND':{_COLUMN}}several, largest first: run the first that fits now",
        f"{'  --config FILE':{_COLUMN}}a TOML file with a table [run]",
    ]
    return "\n".join([*lines, ""])


def _occupy_closed() -> None:
    """Keep what we open from becoming the program's closed input or output."""
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)  # the lowest number that is free
