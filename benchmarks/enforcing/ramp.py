"""One ramp of memory in a real control group, and what is measured of it."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from amptalk.actuators.kernel.places import place_of
from amptalk.model.errors import ActionError
from amptalk.sensors.roots import Roots

ROOT = Path(__file__).resolve().parents[2]
OWNER = Path(__file__).with_name("owner.py")
LOOKAHEAD = 0.5
"""Seconds of growth that must fit before the cap; where they do, the kernel must not kill."""
INTERPRETERS = 8.0
"""MB that the group holds besides what the hog writes down, about."""
GAP = 0.1
"""Seconds without growth that show that a hog was stopped; a guardian stops it for longer."""


def unavailable() -> str:
    """Why no ramp can be run here, empty when one can."""
    try:
        place = place_of(Roots(), os.getpid(), "memory")
    except ActionError as error:
        return str(error)
    return "" if place.version == 1 else "memory is in version 2 here: see tests/vm"


class Result(NamedTuple):
    """What came of one ramp."""

    rate: float
    """MB a second."""
    limit: float
    cap: float
    reaction: float | None
    """Seconds from when half a second of growth was left until it stood still."""
    outcome: str
    """`gone`, `shrunk` or, when neither, `held`."""
    neighbour: bool
    events: int
    """Events of the guardian, and whether one names the hog."""
    named: bool
    told: tuple[str, ...]
    kernel_kills: int
    admitted: float | None
    """Seconds until new work was let in."""
    highest: float
    """MB that the hog had at most."""


class Ramp:
    """One ramp, begun; `result` waits for it."""

    def __init__(self, rate: float, limit: float, manner: str, *, gil: bool = False) -> None:
        self._rate = rate
        self._folder = tempfile.TemporaryDirectory(prefix="amptalk-ramp-")
        folder = Path(self._folder.name)
        self._log = folder / "log"
        self._log.write_bytes(bytes(8 * int(3 * limit)))
        environment = {
            **os.environ, "PYTHONPATH": str(ROOT / "src"), "AMPTALK_RUN_DIR": str(folder / "run"),
        }  # fmt: skip
        command = [sys.executable, str(OWNER), str(rate), str(limit), manner, str(self._log)]
        self._process = subprocess.Popen(
            [*command, *(["gil"] if gil else [])], env=environment, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self._over: dict[str, Any] = {}

    def wait(self) -> None:
        """Wait until the hog is gone or has shrunk."""
        self._over = self._line()

    def result(self) -> Result:
        """Wait for the end. Raises `RuntimeError` when the application did not come to it."""
        if not self._over:
            self.wait()
        admitted = self._line().get("admitted")
        status = self._process.wait()
        times = _times(self._log.read_bytes())
        self.stop()
        if status or "rate" not in self._over:
            raise RuntimeError(f"the application ended with {status} after {self._over}")
        over = self._over
        return Result(
            self._rate, over["limit"], over["cap"],
            reaction_of(times, over["cap"] - INTERPRETERS), over["outcome"],
            over["neighbour"], over["events"], over["named"], tuple(over["told"]),
            over["kernel_kills"], admitted, float(len(times)),
        )  # fmt: skip

    def stop(self) -> None:
        """End it, whatever it is at."""
        assert self._process.stdout is not None
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()
        self._folder.cleanup()

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        return json.loads(line) if line else {}


def _times(data: bytes) -> list[float]:
    times = [time for (time,) in struct.iter_unpack("d", data)]
    return times[: times.index(0.0)] if 0.0 in times else times


def reaction_of(times: list[float], cap: float) -> float | None:
    """Seconds from when half a second of growth was left until growth stood still.

    `times` are when the hog had each MB. Growth is what it was over the last 0.1 s, since a busy
    machine gives no hog the rate it wants. `None` when it never came that far.
    """
    before = 0
    crossed = None
    for number, now in enumerate(times):
        if number and now - times[number - 1] >= GAP:
            if crossed is not None:
                return times[number - 1] - crossed
            before = number
        while now - times[before + 1] >= GAP if before + 1 < number else False:
            before += 1
        elapsed = now - times[before]
        if crossed is None and elapsed >= GAP / 2:
            rate = (number - before) / elapsed
            if number + rate * LOOKAHEAD >= cap:
                crossed = now
    return None if crossed is None else times[-1] - crossed
