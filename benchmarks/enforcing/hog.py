"""A child that takes memory at a rate, and writes down when it had how much.

`python -S hog.py LOG MB_PER_S MB heeds|deaf`: one that heeds gives everything back on SIGUSR1 and
takes no more; one that is deaf ignores it. LOG is a file of doubles, monotonic seconds, one for
each MB; what it has not reached is 0.
"""

from __future__ import annotations

import mmap
import os
import signal
import struct
import sys
import time


def main() -> None:
    """Grow, then wait to be ended."""
    path, rate, most, manner = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    kept: list[bytes] = []
    asked = False

    def shrink(_number: int, _frame: object) -> None:
        nonlocal asked
        asked = True
        kept.clear()

    signal.signal(signal.SIGUSR1, shrink if manner == "heeds" else signal.SIG_IGN)
    log = os.open(path, os.O_RDWR)
    times = mmap.mmap(log, most * 8)
    due = time.monotonic()
    for number in range(most):
        kept.append(b"\1" * 2**20)
        if asked:
            kept.clear()
            break
        struct.pack_into("d", times, number * 8, time.monotonic())
        due = max(due + 1.0 / rate, time.monotonic() - 0.01)  # what was stopped is not caught up
        time.sleep(max(0.0, due - time.monotonic()))
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
