"""The `amptalk` command: one parser, one verb a module."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from amptalk import __version__
from amptalk.cli import doctor, record, replay, restore, shares, watch
from amptalk.demo import main as demo
from amptalk.model.errors import AmptalkError


def parser() -> argparse.ArgumentParser:
    """The command line of every verb."""
    whole = argparse.ArgumentParser(
        prog="amptalk",
        description="Keep AI applications alive on edge devices: see, hold limits, say why.",
    )
    whole.add_argument("--version", action="version", version=f"amptalk {__version__}")
    verbs = whole.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, module, text in (
        ("demo", demo, "real load, with and without handling, compared"),
        ("watch", watch, "print samples as they are taken"),
        ("doctor", doctor, "what can be measured here, and what the rest needs"),
        ("record", record, "keep this device's sensor files over time, to replay or report it"),
        ("replay", replay, "run the library on a recorded device"),
        ("shares", shares, "who holds what of the budget that programs share"),
        ("restore", restore, "undo limits of the kernel that a killed program left behind"),
    ):
        verb = verbs.add_parser(name, help=text, description=text)
        module.add_arguments(verb)
        verb.set_defaults(run=module.run)
    return whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit status (2 for bad input, 130 when interrupted)."""
    options = parser().parse_args(arguments)
    try:
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
