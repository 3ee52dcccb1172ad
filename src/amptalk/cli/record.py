"""`amptalk record`: keep a device's sensor files over time, to replay it or to report it."""

from __future__ import annotations

import argparse
import math
import sys
from collections import Counter

from amptalk import __version__
from amptalk.model.errors import ConfigurationError

FASTEST, SLOWEST = 0.1, 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this verb's flags."""
    parser.add_argument("folder", metavar="DIR", help="a new folder for the recording")
    parser.add_argument(
        "--seconds", type=float, default=60.0, metavar="N", help="how long (default: 60)"
    )
    parser.add_argument(
        "--interval", type=float, default=1.0, metavar="S", help="between frames (default: 1)"
    )
    parser.add_argument(
        "--pid", type=int, metavar="PID", help="keep the memory and CPU files of this application"
    )


def run(options: argparse.Namespace) -> int:
    """Record, and say what was kept, what was not, and what to do with it."""
    if not FASTEST <= options.interval <= SLOWEST:
        raise ConfigurationError(
            f"--interval {options.interval:g} is out of range: give {FASTEST:g} to {SLOWEST:g} s"
        )
    if not 0.0 < options.seconds < math.inf:
        raise ConfigurationError(f"--seconds {options.seconds:g}: give a number of seconds above 0")
    from amptalk.sensors.recorded.recorder import Kept, Recorder, record

    kept: Kept = record(
        Recorder(pid=options.pid), options.folder, options.seconds, options.interval, __version__,
        _progress if sys.stderr.isatty() else None,
    )  # fmt: skip
    if sys.stderr.isatty():
        sys.stderr.write("\n")
    out = sys.stdout.write
    out(f"{options.folder}: {kept.frames} frames of {kept.files} files in {kept.seconds:.0f} s, ")
    out(f"{kept.bytes / 1024:.0f} KiB\n")
    if kept.replaced:
        out(f"replaced: {kept.replaced} hardware addresses or identifiers\n")
    for reason, count in Counter(kept.left_out.values()).most_common():
        files = "1 file" if count == 1 else f"{count} files"
        out(f"left out: {files}: {reason}\n")
    out("not kept at all: serial numbers, names of host and user, arguments of processes\n")
    out(f"\nrun it:     amptalk replay {options.folder}\n")
    out("report it:  look through recording.json and frames.jsonl, which are plain text, ")
    out("then attach the folder\n")
    return 0


def _progress(frames: int, size: int) -> None:
    sys.stderr.write(f"\r{frames} frames, {size / 1024:.0f} KiB; Ctrl-C ends it")
    sys.stderr.flush()
