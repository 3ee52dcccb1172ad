"""How each of the peers puts a command under a limit, and what they all run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from amptalk.actuators.kernel.places import place_of
from amptalk.model.errors import ActionError
from amptalk.sensors.roots import Roots

ROOT = Path(__file__).resolve().parents[2]
AMPTALK = (sys.executable, "-m", "amptalk.cli.main", "run")
NOBODY = 65534
FOR_ALL = "/usr/bin/python3"
"""An interpreter that an ordinary user may run, too."""
LIMIT_MB = 100
PATIENCE = 90.0


class Result(NamedTuple):
    """One run."""

    status: int
    out: str
    err: str
    seconds: float
    cpu_seconds: float


def unavailable() -> str:
    """Why this cannot be measured here; empty when it can."""
    try:
        for controller in ("memory", "cpu"):
            if place_of(Roots(), os.getpid(), controller).version != 1:
                return "it needs version 1 of control groups"
    except ActionError as error:
        return str(error)
    return "" if os.path.exists(FOR_ALL) else f"it needs {FOR_ALL}"


def has(tool: str) -> bool:
    """Whether a peer is installed."""
    return shutil.which(tool) is not None


@contextmanager
def journal(user: int | None, beneath: str | None = None) -> Iterator[str]:
    """A folder for the journal of one user's runs."""
    with tempfile.TemporaryDirectory(dir=beneath) as folder:
        os.chmod(folder, 0o755)
        path = os.path.join(folder, "run")
        os.mkdir(path, 0o700)
        os.chown(path, user or 0, user or 0)
        yield path


def run(command: Sequence[str], user: int | None = None, group: str = "") -> Result:
    """Run a command to its end, in a control group where told to."""
    import resource
    import time

    with journal(user) as path:
        environment = {**os.environ, "AMPTALK_RUN_DIR": path, "PYTHONPATH": str(ROOT / "src")}
        if user is not None:
            command = [FOR_ALL if word == sys.executable else word for word in command]
        if group:
            enter = f'for g in {group}; do echo $$ > "$g/cgroup.procs"; done; exec "$@"'
            command = ["sh", "-c", enter, "sh", *command]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begun = time.monotonic()
        try:
            done = subprocess.run(
                command, env=environment, user=user, group=user, capture_output=True, text=True,
                timeout=PATIENCE, check=False, cwd="/",
            )  # fmt: skip
            status, out, err = done.returncode, done.stdout, done.stderr
        except subprocess.TimeoutExpired:
            status, out, err = 124, "", "did not end"
        seconds = time.monotonic() - begun
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Result(status, out, err, seconds, cpu)


@contextmanager
def bare_group(percent: float | None = None, memory_mb: float | None = None) -> Iterator[str]:
    """Control groups of version 1 as one makes them by hand; their folders."""
    made = []
    cores = len(os.sched_getaffinity(0))
    try:
        for controller, file, value in (
            ("cpu", "cpu.cfs_quota_us", percent and int(percent * cores * 1000)),
            ("memory", "memory.limit_in_bytes", memory_mb and int(memory_mb * 2**20)),
        ):
            if value is None:
                continue
            place = place_of(Roots(), os.getpid(), controller)
            folder = f"{place.home}/bench-{os.getpid()}"
            os.mkdir(folder)
            made.append(folder)
            Path(folder, file).write_text(str(value))
        yield " ".join(made)
    finally:
        for folder in made:
            with suppress(OSError):
                os.rmdir(folder)
