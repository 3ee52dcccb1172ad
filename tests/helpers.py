"""What several test modules share: waiting for an event with a deadline, running Python apart."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DEADLINE = 20.0


def eventually(condition: Callable[[], bool], what: str, deadline: float = DEADLINE) -> None:
    """Wait until `condition` holds; fail after `deadline` seconds, naming `what`."""
    end = time.monotonic() + deadline
    pause = threading.Event()
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline:g} s: {what}")
        pause.wait(0.005)


def environment() -> dict[str, str]:
    """The environment for a child process that imports the library."""
    return {**os.environ, "PYTHONPATH": str(ROOT / "src")}


def run_python(
    code: str,
    *arguments: str,
    cwd: Path | None = None,
    python: str = sys.executable,
    path: Path | None = ROOT / "src",
    timeout: float = 60.0,
) -> subprocess.CompletedProcess[str]:
    """Run `code` in a process of its own, with `path` importable; the output is captured."""
    environment = dict(os.environ)
    environment.pop("PYTHONPATH", None)
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    return subprocess.run(
        [python, "-c", code, *arguments],
        cwd=cwd or ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def output_of(code: str, *arguments: str, cwd: Path | None = None) -> str:
    """Standard output of `code`, which must succeed without a word on standard error."""
    result = run_python(code, *arguments, cwd=cwd)
    assert result.returncode == 0, result.stderr
    return result.stdout
