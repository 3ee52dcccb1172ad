#!/usr/bin/env python3
"""A worker that leaks, under `handling="enforce"`: asked, shrunk, capped, verified, undone.

The worker fills a cache, which it drops when it is asked to. Then it leaks, and nothing that it is
asked helps: the guardian stops it again and again as it comes near the kernel's cap, and ends it,
which its declaration allows. At the end nothing of what was set in the kernel is left. It needs
control groups that it may make: root, or a delegated group; without them it says what is missing.

    sudo python examples/leaky_worker.py
    sudo python examples/leaky_worker.py --killed-half-way   # and all is restored all the same
"""

import argparse
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from src.core.resource_management import Level, ResourceManager, create_resource_manager

ROOM_MB = 300
"""How much more than at the start the application may use."""
CACHE_MB_S, LEAK_MB_S = 60, 200
PATIENCE = 40.0
"""Seconds after which the story is given up."""


def worker() -> None:
    """The worker: fill a cache until it is to be dropped (SIGUSR1), then leak for good."""
    kept: list[bytes] = []
    rate = CACHE_MB_S

    def drop(_number: int, _frame: object) -> None:
        nonlocal rate
        if rate == CACHE_MB_S:
            kept.clear()
            rate = LEAK_MB_S

    signal.signal(signal.SIGUSR1, drop)
    parent = os.getppid()
    while os.getppid() == parent:
        kept.append(b"\1" * 2**20)
        time.sleep(1.0 / rate)


def groups_of(pid: int) -> list[str]:
    """Control groups that the manager of a process has made and that are there now."""
    return [
        f"{around}/{name}"
        for around, names, _ in os.walk("/sys/fs/cgroup")
        for name in names
        if name.startswith(f"amptalk-{pid}-")
    ]


def story(*, half: bool) -> None:
    """Run the worker under a manager, to its end or to the middle."""
    command = [sys.executable, "-S", __file__, "--worker"]
    process = subprocess.Popen(command)  # noqa: S603 - this very file
    start = create_resource_manager().get_current_metrics().memory_used_mb
    manager = create_resource_manager(
        max_memory_mb=start + ROOM_MB, monitoring_interval=0.25, handling="enforce"
    )

    def ask() -> None:
        say("asked:    the worker is asked to drop its cache")
        process.send_signal(signal.SIGUSR1)

    manager.hook("drop the cache", ask, level=Level.CRITICAL)
    with manager:
        manager.child(process, priority=-1, may_end=True)
        for notice in manager.notices():
            say(f"          {notice}")
        if "memory_cap" in told_of(manager):
            follow(manager, process, half=half)
        else:
            say("          so there is nothing to show here")
        process.kill()
        process.wait()
    say(f"undone:   {len(groups_of(os.getpid()))} control groups of ours are left")


def follow(manager: ResourceManager, process: subprocess.Popen[bytes], *, half: bool) -> None:
    """Tell what happens as it happens, until the guardian has told its part."""
    began = last = time.monotonic()
    told = 0
    while time.monotonic() < began + PATIENCE:
        time.sleep(0.1)
        if time.monotonic() > last + 1.0 and process.poll() is None:
            last = time.monotonic()
            used = manager.get_current_metrics().memory_used_mb
            say(f"{last - began:6.1f} s  {used:4.0f} MB, level {manager.level.label}")
        events = [event for event in manager.history.events if event["kind"] == "action"]
        for event in events[told:]:
            before = "" if math.isnan(event["before"]) else f"{event['before']:.0f} to "
            amounts = f"{before}{event['after']:.0f} MB"
            say(f"verified: {event['action']}: {event['verdict']}, {amounts}; {event['detail']}")
        told = len(events)
        if half and any(event["action"] == "drop the cache" for event in events):
            say("killed:   with SIGKILL, half-way")
            os.kill(os.getpid(), signal.SIGKILL)
        if "guardian" in told_of(manager):
            return


def told_of(manager: ResourceManager) -> set[str]:
    """Actions that there are events of."""
    return {event["action"] for event in manager.history.events
            if event["kind"] == "action" and event["verdict"] != "denied"}  # fmt: skip


def killed_half_way() -> int:
    """Run the story in a process that is killed, and look at what is left."""
    process = subprocess.Popen([sys.executable, __file__, "--half"])  # noqa: S603 - itself
    process.wait()
    ended = time.monotonic()
    while groups_of(process.pid) and time.monotonic() < ended + 10.0:
        time.sleep(0.01)
    left = len(groups_of(process.pid))
    say(f"restored: {left} control groups are left after {time.monotonic() - ended:.2f} s")
    return 1 if left else 0


def say(line: str) -> None:
    """Print at once, also into a pipe."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--killed-half-way", action="store_true")
    parser.add_argument("--half", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker()
    if options.killed_half_way:
        return killed_half_way()
    story(half=options.half)
    return 0


if __name__ == "__main__":
    sys.exit(main())
