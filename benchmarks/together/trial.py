"""One arm: three processes in one memory control group, asked by clients that are simulated here.

A process that was killed is started again after 0.1 s, and what its clients still wait for is
asked again. All arms have the same requests. Speech is asked all the time; documents come as a
burst, then pictures for a while, then both.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.serving.arms import RESTART_PAUSE, ROOT
from benchmarks.serving.groups import MemoryGroup
from benchmarks.serving.requests import Request
from benchmarks.serving.scoring import Outcome, goodput, percentile
from benchmarks.together.models import SIZES, SPEECH, TEXT, VISION

LIMIT_MB = 660.0
"""The hard limit of the group; the three at full size take 1030."""
BUDGET_MB = 620.0
"""Of it, what components share; the rest is for mapped files and the kernel."""
READY = 300.0
"""Seconds in which a process must be ready at first."""
_CEILING = 4.0
_LOOK = 0.1
_ENVIRONMENT = {
    **os.environ,
    **{f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")},
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_TRIM_THRESHOLD_": "131072",
    "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]),
}


class Arm(NamedTuple):
    """One way to run the three."""

    name: str
    limit_mb: float
    batch: int
    """The largest batch of documents."""
    shares: bool


ARMS = (
    Arm("no limit", LIMIT_MB * _CEILING, 64, shares=False),
    Arm("hard limit, restart", LIMIT_MB, 64, shares=False),
    Arm("hard limit, small batch", LIMIT_MB, 3, shares=False),
    Arm("cooperative", LIMIT_MB, 12, shares=True),
)


def requests_of(seconds: float, seed: int) -> list[Request]:
    """All requests of a trial, in order of their time."""
    drawn = random.Random(seed)
    found: list[tuple[float, str]] = [(float(at), SPEECH) for at in range(int(seconds))]
    part = seconds / 3.0
    for begin in (0.0, 2.0 * part):
        found += [(begin + 0.1 * part + 0.05 * drawn.random(), TEXT) for _ in range(int(2 * part))]
    for begin in (part, 2.0 * part):
        count = max(1, int(part / 3.0))
        found += [(begin + part * (0.1 + 0.7 * n / count), VISION) for n in range(count)]
    return [Request(number, at, model, 1.0) for number, (at, model) in enumerate(sorted(found))]


class Process:
    """One model of an arm, started again when it ends."""

    def __init__(self, model: str, arm: Arm, group: MemoryGroup, folder: str) -> None:
        self.model = model
        config = {
            "model": model, "batch": arm.batch, "budget": BUDGET_MB,
            "sharing": f"sqlite:{folder}/shares" if arm.shares else None,
        }  # fmt: skip
        inside = ["sh", "-c", 'echo 0 > "$0"; exec "$@"', str(group.entrance)]
        self._command = [
            *inside, sys.executable, "-m", "benchmarks.together.process", json.dumps(config),
        ]  # fmt: skip
        self.up = asyncio.Event()
        self.waiting: dict[int, Request] = {}
        self.answered: dict[int, float] = {}
        self.ended = 0
        self.began = math.nan
        self._process: asyncio.subprocess.Process | None = None
        self._ending = False
        self.running = asyncio.create_task(self._run())

    def ask(self, request: Request) -> None:
        """Send a request, or keep it until the process is there again."""
        self.waiting[request.number] = request
        if self.up.is_set():
            self._send(request)

    async def stop(self) -> None:
        """End it and wait for that."""
        self._ending = True
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()
        await asyncio.wait([self.running])

    async def _run(self) -> None:
        while not self._ending:
            self._process = process = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL, env=_ENVIRONMENT, cwd=ROOT,
            )  # fmt: skip
            assert process.stdout is not None
            async for line in process.stdout:
                self._hear(line.decode())
            self.up.clear()
            await process.wait()
            self.ended += not self._ending
            await asyncio.sleep(RESTART_PAUSE)

    def _hear(self, line: str) -> None:
        word, _, number = line.strip().partition(" ")
        if word == "ready":
            self.up.set()
            for request in self.waiting.values():
                self._send(request)
        elif word in ("done", "drop"):
            self.waiting.pop(int(number), None)
            if word == "done":
                self.answered.setdefault(int(number), time.monotonic() - self.began)

    def _send(self, request: Request) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        until = self.began + request.at + SIZES[self.model].deadline
        with suppress(BrokenPipeError, ConnectionResetError):
            self._process.stdin.write(f"{request.number} {request.size} {until}\n".encode())


async def run_arm(arm: Arm, requests: Sequence[Request], folder: Path) -> dict[str, Any]:
    """Run one arm and return its figures."""
    name = arm.name.replace(" ", "-").replace(",", "")
    with MemoryGroup(name, arm.limit_mb) as group:
        processes = {
            model: Process(model, arm, group, str(folder / name))
            for model in (SPEECH, TEXT, VISION)
        }
        try:
            ready = [one.up.wait() for one in processes.values()]
            await asyncio.wait_for(asyncio.gather(*ready), READY)
            kills = group.kills()
            peaks = asyncio.create_task(_watch(group))
            began = time.monotonic()
            for one in processes.values():
                one.began, one.ended = began, 0
            for request in requests:
                await asyncio.sleep(max(0.0, began + request.at - time.monotonic()))
                processes[request.model].ask(request)
            await asyncio.sleep(max(size.deadline for size in SIZES.values()))
            series = await _ended(peaks)
            return _figures(arm, requests, processes, group.kills() - kills, series)
        finally:
            await asyncio.gather(*(one.stop() for one in processes.values()))


async def _watch(group: MemoryGroup) -> list[tuple[float, float]]:
    series, began = [], time.monotonic()
    try:
        while True:
            series.append((time.monotonic() - began, group.working_set_mb()))
            await asyncio.sleep(_LOOK)
    except asyncio.CancelledError:
        return series


async def _ended(task: asyncio.Task[list[tuple[float, float]]]) -> list[tuple[float, float]]:
    task.cancel()
    return await task


def _figures(
    arm: Arm,
    requests: Sequence[Request],
    processes: dict[str, Process],
    kills: int,
    series: Sequence[tuple[float, float]],
) -> dict[str, Any]:
    models = {}
    for model, process in processes.items():
        outcomes = [
            Outcome(request, process.answered.get(request.number, math.inf))
            for request in requests
            if request.model == model
        ]
        waits = sorted(o.answered - o.request.at for o in outcomes if o.answered < math.inf)
        models[model] = {
            "requests": len(outcomes), "goodput": goodput(outcomes, SIZES[model].deadline),
            "p50": percentile(waits, 0.5), "p99": percentile(waits, 0.99),
            "ended": process.ended,
        }  # fmt: skip
    answered = sum(len(process.answered) for process in processes.values())
    seconds = series[-1][0]
    return {
        "arm": arm.name, "limit": arm.limit_mb, "kills": kills, "models": models,
        "throughput": answered / seconds, "peak": max(used for _, used in series),
        "memory": [(round(at, 1), round(used)) for at, used in series[::5]],
    }  # fmt: skip
