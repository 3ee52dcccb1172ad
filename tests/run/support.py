"""`amptalk run` as a process of its own: what its tests share."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from amptalk.actuators.journal.folder import ELSEWHERE
from tests.helpers import ROOT

RUN = (sys.executable, "-m", "amptalk.cli.main", "run")
NOBODY = 65534
_FOR_ALL = "/usr/bin/python3"
"""An interpreter that every user may run, where this one lies in somebody's home."""
PATIENCE = 60.0


def environment(journal: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Of a test's runs: a journal of their own, and nothing of ours set."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("AMPTALK_")}
    return {**kept, ELSEWHERE: str(journal), "PYTHONPATH": str(ROOT / "src"), **(more or {})}


class Done:
    """How a run ended."""

    def __init__(self, pid: int, status: int, out: str, err: str) -> None:
        self.pid = pid
        self.status = status
        self.out = out
        self.err = err
        self.said = [
            line.removeprefix("amptalk: ")
            for line in err.splitlines()
            if line.startswith("amptalk: ")
        ]

    @property
    def json(self) -> Any:
        """The summary of a run with `--json`."""
        return json.loads(self.err.splitlines()[-1])


def ordinary_user() -> str:
    """Why no run can be made as an ordinary user; empty when it can."""
    if os.geteuid() != 0:
        return "needs root to become another user"
    code = "import sys, amptalk.cli.main; assert sys.version_info >= (3, 10)"
    try:
        done = subprocess.run(
            [_FOR_ALL, "-c", code], user=NOBODY, group=NOBODY, capture_output=True, check=False,
            env={"PYTHONPATH": str(ROOT / "src")}, cwd="/",
        )  # fmt: skip
    except OSError as error:
        return str(error)
    return done.stderr.decode()


def amptalk_run(
    journal: Path, *arguments: str, user: int | None = None, more: Mapping[str, str] | None = None,
    cwd: Path | None = None, given: str = "", until: str = "", command: Sequence[str] = RUN,
) -> Done:  # fmt: skip
    """Run it to its end; as another user where told to, whose journal it then is.

    `given` is its input, which ends there; where told `until`, not before it has said that.
    """
    if user is not None:
        command = [_FOR_ALL if word == sys.executable else word for word in command]
        arguments = tuple(_FOR_ALL if word == sys.executable else word for word in arguments)
    if user is not None and not journal.exists():
        for folder in journal.parents[:3]:
            folder.chmod(0o755)
        journal.mkdir(mode=0o700)
        os.chown(journal, user, user)
    with subprocess.Popen(
        [*command, *arguments], env=environment(journal, more), cwd=cwd, user=user, group=user,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        try:
            told = _said_until(process.stderr.fileno(), until) if until else ""
            out, err = process.communicate(given, PATIENCE)
        except BaseException:
            process.kill()
            raise
    return Done(process.pid, process.returncode, out, told + err)


def _said_until(descriptor: int, text: str) -> str:
    """What is said until `text` is part of it."""
    said, deadline = b"", time.monotonic() + PATIENCE
    while text.encode() not in said:
        ready, _, _ = select.select([descriptor], [], [], deadline - time.monotonic())
        more = os.read(descriptor, 1 << 16) if ready else b""
        assert more, f"{text!r} was never said, only {said.decode()!r}"
        said += more
    return said.decode()
