"""Tests in an interpreter of their own, and a real child process that uses what it is told."""

from __future__ import annotations

import functools
import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

from amptalk import ResourceManager
from tests.helpers import eventually, run_python

MB = 1 << 20

_RUN = """
import sys, warnings
warnings.simplefilter("error")
from importlib import import_module
getattr(import_module(sys.argv[1]), sys.argv[2]).__wrapped__()
print("finished")
"""


def own_process(test: Callable[[], None]) -> Callable[[], None]:
    """Run a test in a new interpreter: what it measures and imports is its own.

    Warnings are errors there as here, and nothing may go wrong unheard on a thread.
    """

    @functools.wraps(test)
    def run() -> None:
        result = run_python(_RUN, test.__module__, test.__qualname__)
        said = f"{result.stdout}\n{result.stderr}"
        assert result.returncode == 0, said
        assert result.stdout.endswith("finished\n"), said
        assert "Traceback" not in result.stderr, said
        assert "Exception ignored" not in result.stderr, said

    return run


def logged_by(name: str) -> list[str]:
    """What is logged by `name` and below from now on."""
    messages: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    logging.getLogger(name).addHandler(Keep())
    return messages


def used_mb() -> float:
    """Memory of this application now, in MB."""
    return ResourceManager(name="measure").get_current_metrics().memory_used_mb


def ballast(megabytes: int) -> bytearray:
    """Real memory: every page is written to."""
    return bytearray(b"x") * (megabytes * MB)


def ticks(manager: ResourceManager, count: int) -> None:
    """Wait until the manager has ticked `count` times more."""
    seen = {id(manager.get_current_metrics())}
    kept = []  # so that no two samples have the same id

    def enough() -> bool:
        kept.append(manager.get_current_metrics())
        seen.add(id(kept[-1]))
        return len(seen) > count

    eventually(enough, f"{count} ticks")


def events_of(manager: ResourceManager, kind: str) -> list[dict[str, Any]]:
    return [event for event in manager.history.events if event["kind"] == kind]


def verdicts(manager: ResourceManager, action: str) -> list[str]:
    """What was measured of an action, by the name it begins with."""
    return [
        event["verdict"]
        for event in events_of(manager, "action")
        if event["action"].startswith(action)
    ]


_WORKER = """
import mmap, sys
blocks = []
for line in sys.stdin:
    while len(blocks) < int(line):
        blocks.append(mmap.mmap(-1, 1 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
        blocks[-1][::4096] = b"x" * 256
    while len(blocks) > int(line):
        blocks.pop().close()
    print(len(blocks), flush=True)
"""


class Worker:
    """A child process that holds as many megabytes as it is told."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.process = subprocess.Popen(
            [sys.executable, "-c", _WORKER],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.hold(0)

    def hold(self, megabytes: float) -> None:
        """Return when the child holds that much."""
        with self._lock:
            assert self.process.stdin is not None
            assert self.process.stdout is not None
            self.process.stdin.write(f"{int(megabytes)}\n")
            self.process.stdin.flush()
            assert self.process.stdout.readline() == f"{int(megabytes)}\n"

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_error: object) -> None:
        self.process.communicate(timeout=20)
