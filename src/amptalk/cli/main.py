"""The `amptalk` command: one parser, one verb a module."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from amptalk import __version__
from amptalk.model.errors import AmptalkError

if TYPE_CHECKING:
    import argparse


VERBS = {
    "demo": ("demo.main", "real load, with and without handling, compared"),
    "run": ("cli.run", "run a program under limits"),
    "attach": ("cli.attach", "put what already runs under limits"),
    "detach": ("cli.attach", "end that, and put everything back"),
    "watch": ("cli.watch", "print samples as they are taken"),
    "doctor": ("cli.doctor", "what can be measured here, and what the rest needs"),
    "record": ("cli.record", "keep this device's sensor files over time, to replay or report it"),
    "replay": ("cli.replay", "run the library on a recorded device"),
    "shares": ("cli.shares", "who holds what of the budget that programs share"),
    "restore": ("cli.restore", "undo limits of the kernel that a killed program left behind"),
}
"""Each verb's module and what it does. A verb is imported when it is the one that is used."""


_PLAIN = frozenset({"run", "attach", "detach"})
"""Verbs that read their own arguments, see `cli.run`."""


def _plain(verb: str) -> Callable[[Sequence[str]], int]:
    if verb == "run":
        from amptalk.cli import run

        return run.main
    from amptalk.cli import attach

    return attach.main if verb == "attach" else attach.end


def parser(only: str | None = None) -> argparse.ArgumentParser:
    """The command line of every verb, or with the arguments of one alone."""
    import argparse

    whole = argparse.ArgumentParser(
        prog="amptalk",
        description="Keep AI applications alive on edge devices: see, hold limits, say why.",
    )
    whole.add_argument("--version", action="version", version=f"amptalk {__version__}")
    verbs = whole.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, (home, text) in VERBS.items():
        verb = verbs.add_parser(name, help=text, description=text)
        if name not in _PLAIN and only in {None, name}:
            module = import_module(f"amptalk.{home}")
            module.add_arguments(verb)
            verb.set_defaults(run=module.run)
    return whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit status (2 for bad input, 130 when interrupted)."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        if given and given[0] in _PLAIN:
            return _plain(given[0])(given[1:])
        options = parser(given[0] if given and given[0] in VERBS else None).parse_args(given)
        return int(options.run(options))
    except AmptalkError as error:
        sys.stderr.write(f"amptalk: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader went away, as in `amptalk watch | head`. Python flushes once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
