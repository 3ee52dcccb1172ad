"""Whether a limit on CPU holds, for a process, threads and forks."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from benchmarks.running.peers import AMPTALK, NOBODY, Result, bare_group, has, run

SHARES = (25, 50, 80)
BURN = """
import os, sys, threading, time
kind, seconds = sys.argv[1], float(sys.argv[2])
cores = len(os.sched_getaffinity(0))
begun = time.monotonic()
until = begun + seconds
def burn():
    while time.monotonic() < until:
        sum(range(2000))
if kind == "one process":
    burn()
elif kind == "processes":
    for _ in range(2 * cores - 1):
        if os.fork() == 0:
            burn(); os._exit(0)
    burn()
    for _ in range(2 * cores - 1):
        os.wait()
else:
    running = 0
    while time.monotonic() < until:
        if running >= 2 * cores:
            os.wait(); running -= 1
        if os.fork() == 0:
            sum(range(300000)); os._exit(0)
        running += 1
    while running:
        os.wait(); running -= 1
t = os.times()
print(t.user + t.system + t.children_user + t.children_system, time.monotonic() - begun)
"""
KINDS = ("one process", "processes", "forking")


def cpu_rows(shares: Sequence[int], seconds: float) -> list[str]:
    """A table: peer by kind and share."""
    cores = len(os.sched_getaffinity(0))
    cells = [(kind, share) for kind in KINDS for share in shares
             if kind != "one process" or share <= 100 / cores]  # fmt: skip
    rows = [
        "| | " + " | ".join(f"{kind}, {share} %" for kind, share in cells) + " |",
        "|---" * (len(cells) + 1) + "|",
    ]
    peers = {
        "free": lambda _share, burn: run(burn),
        "amptalk run, root": lambda share, burn: run(
            [*AMPTALK, "--quiet", "--cpus", f"{share}%", "--", *burn]
        ),
        "amptalk run --pace, ordinary user": lambda share, burn: run(
            [*AMPTALK, "--quiet", "--cpus", f"{share}%", "--pace", "--", *burn], NOBODY
        ),
        "cpulimit -m, ordinary user": lambda share, burn: run(
            ["cpulimit", "-f", "-m", "-q", "-l", str(share * cores), "--", *burn], NOBODY
        ),
        "bare control group": _bare,
    }
    if not has("cpulimit"):
        del peers["cpulimit -m, ordinary user"]
    for name, peer in peers.items():
        row = []
        for kind, share in cells:
            burn = [sys.executable, "-c", BURN, kind, str(seconds)]
            row.append(_shown(peer(share, burn), cores, share))
            print(f"{name}: {kind}, {share} %: {row[-1]}", file=sys.stderr, flush=True)
        rows.append(f"| {name} | " + " | ".join(row) + " |")
    return [*rows, "", "Target: within ± 3 points of the limit. On a busy machine less may be had "
            "than the limit allows: `free` shows what there was."]  # fmt: skip


def _bare(share: int, burn: list[str]) -> Result:
    with bare_group(percent=share) as group:
        return run(burn, group=group)


def _shown(result: Result, cores: int, share: int) -> str:
    """Percent of capacity from when it began to burn until it ended, by its own clocks."""
    words = result.out.split()
    if result.status or not words:
        return f"status {result.status}"
    seconds, elapsed = map(float, words)
    used = 100.0 * seconds / elapsed / cores
    return f"{used:.1f}" + (" OVER" if used > share + 3 else "")
