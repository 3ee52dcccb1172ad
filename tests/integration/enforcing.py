"""Real processes under real control groups: what the tests of enforcement share."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from amptalk.actuators.journal.folder import ELSEWHERE, JournalFolder
from amptalk.actuators.journal.restore import restore
from amptalk.actuators.kernel.places import place_of
from amptalk.model.errors import ActionError
from amptalk.sensors.cgroups import OURS
from amptalk.sensors.roots import Roots
from tests.helpers import ROOT, eventually


def why_not(*controllers: str) -> str:
    """Why the kernel of this machine does not let us have groups; empty when it does."""
    try:
        for controller in controllers:
            place_of(Roots(), os.getpid(), controller)
    except ActionError as error:
        return str(error)
    return ""


@contextmanager
def program(code: str, journal: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a program with a journal of its own; it and its children end with the block.

    What it left in the kernel is undone then.
    """
    environment = {**os.environ, ELSEWHERE: str(journal), "PYTHONPATH": str(ROOT / "src")}
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        if journal.exists():
            folder = JournalFolder(str(journal), create=False)
            restore(folder, "/proc")
            folder.close()


def said(process: subprocess.Popen[str]) -> str:
    """The next line that a program prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def groups_of(pid: int) -> list[str]:
    """Folders of all groups that a process has made."""
    return [
        f"{around}/{name}"
        for around, names, _ in os.walk("/sys/fs/cgroup")  # copes with groups that vanish
        for name in names
        if name.startswith(f"{OURS}{pid}-")
    ]


def gone(pid: int) -> None:
    """Wait until no group of a process is left."""
    eventually(lambda: not groups_of(pid), f"groups of {pid} are removed")
