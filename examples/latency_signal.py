#!/usr/bin/env python3
"""A small service that holds its own latency: a signal says how long a batch took, a knob follows.

Real work (hashing) in batches of as many items as the knob allows. Larger batches would be served,
too, but each of them late. Halfway each item begins to cost twice as much, as with longer inputs.

    python examples/latency_signal.py
    python examples/latency_signal.py --seconds 10 --limit-ms 100 --only-watch
"""

import argparse
import hashlib
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from src.core.resource_management import ResourceManager

ITEM_SECONDS = 0.004
"""What one item shall take on this machine, in the first half."""


def work(rounds: int) -> None:
    """One item: real processor time, without holding the interpreter."""
    hashlib.pbkdf2_hmac("sha256", b"item", b"salt", rounds)


def rounds_for(seconds: float) -> int:
    """As much hashing as takes so long here."""
    began = time.perf_counter()
    work(20_000)
    return max(1, round(20_000 * seconds / (time.perf_counter() - began)))


def serve(manager: ResourceManager, seconds: float, limit_ms: float) -> None:
    """Serve batches for `seconds`, the second half with dearer items, and tell what happened."""
    latency = manager.signal("latency_ms", limit=limit_ms)
    batch = manager.knob("batch", minimum=1, maximum=32, resource="latency_ms")
    rounds, items, batches, late = rounds_for(ITEM_SECONDS), 0, 0, 0
    began = told = time.monotonic()
    while (now := time.monotonic()) < began + seconds:
        cost = 2 if now > began + seconds / 2 else 1
        size = batch.value
        for _ in range(size):
            work(cost * rounds)
        took_ms = 1000.0 * (time.monotonic() - now)
        latency.record(took_ms)
        items, batches, late = items + size, batches + 1, late + (took_ms > limit_ms)
        if time.monotonic() >= told + 1.0:
            told = time.monotonic()
            value = manager.get_current_metrics()["latency_ms"]
            line = f"latency {value:6.1f} ms  batch {size:2d}  items cost {cost}x"
            say(f"{told - began:5.1f} s  {line}")
    say(f"{items / seconds:.0f} items a second, {late} of {batches} batches late")
    for one in manager.violations:
        say(f"over {one.limit:g} ms for {one.seconds_over:.1f} s, peak {one.peak:.0f} ms")


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Run the service with the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--limit-ms", type=float, default=60.0)
    parser.add_argument("--only-watch", action="store_true", help="tell, but do not act")
    options = parser.parse_args()
    handling = "observe" if options.only_watch else "degrade"
    with ResourceManager(monitoring_interval=0.5, handling=handling) as manager:
        serve(manager, options.seconds, options.limit_ms)


if __name__ == "__main__":
    main()
