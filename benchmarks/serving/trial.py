"""One trial: all arms at once, the same requests for each, begun a little after one another.

The clients are simulated here, in one event loop: each asks at its time, and asks again
when the service was away, until its deadline.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from benchmarks.serving.arms import (
    EARLYOOM,
    MEMINFO,
    RESTART_PAUSE,
    ROOT,
    Arm,
    command,
    meminfo_text,
)
from benchmarks.serving.groups import MemoryGroup
from benchmarks.serving.requests import Request, requests_of
from benchmarks.serving.scenarios import BURST_EVERY, Scenario
from benchmarks.serving.scoring import Outcome, figures

_LOOK = 0.05
"""Seconds between two looks at the groups, for earlyoom and for drain and restart."""
_READY = 60.0
"""Seconds within which a service must be ready at first."""
_LEAVE = 20.0
"""Seconds within which it must end when asked to."""
_ENVIRONMENT = {
    **os.environ,
    **{f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")},
    "MALLOC_MMAP_THRESHOLD_": str(1024 * 1024),  # large arrays are given back when they are freed
    "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]),
}


class ArmRun:
    """The service of one arm in one trial: started again when it ends, asked by its clients."""

    def __init__(
        self, arm: Arm, scenario: Scenario, seconds: float, requests: Sequence[Request]
    ) -> None:
        self.arm = arm
        self._scenario = scenario
        self._seconds = seconds
        self._requests = requests
        self._group: MemoryGroup
        self._folder: Path
        self._process: asyncio.subprocess.Process | None = None
        self._serving: asyncio.Task[None]
        self._looking: asyncio.Task[None]
        self._up = asyncio.Event()
        self._waiting: dict[int, Request] = {}
        self._answered: dict[int, float] = {}
        self._began = math.nan
        self._ending = False
        self._stops: list[float] = []
        self._codes: list[int] = []
        self._cpu = [0.0]
        self._actions: Counter[str] = Counter()

    async def start(self, stack: ExitStack, folder: Path) -> None:
        """Start the service and wait until it is ready."""
        name = self.arm.label.translate({ord(letter): "-" for letter in " /=,"})
        self._group = stack.enter_context(MemoryGroup(name, self.arm.budget(self._scenario)))
        self._folder = folder / name
        self._folder.mkdir()
        (self._folder / MEMINFO).write_text(
            meminfo_text(self._scenario.budget, 0.0), encoding="ascii"
        )
        self._serving = asyncio.create_task(self._keep_running())
        self._looking = asyncio.create_task(self._look())
        up = asyncio.create_task(self._up.wait())
        await asyncio.wait([up, self._serving], timeout=_READY, return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        if not self._up.is_set():
            raise RuntimeError(f"{self.arm.label}: the service did not come up")

    async def serve(self, offset: float) -> dict[str, Any]:
        """Have all requests asked, `offset` seconds from now on; return the figures."""
        await asyncio.sleep(offset)
        await self._ask()
        await self.end()
        outcomes = [
            Outcome(request, self._answered.get(request.number, math.inf))
            for request in self._requests
        ]
        return {
            "arm": self.arm.kind,
            "settings": self.arm.settings,
            **figures(outcomes, self._scenario.deadline, self._stops),
            "kills": self._group.kills(),
            "restarts": len(self._stops),
            "exits": dict(Counter(map(str, self._codes))),
            "cpu": sum(self._cpu),
            "actions": dict(self._actions),
        }

    async def end(self) -> None:
        """Have the service end; kills it when it does not. Idempotent."""
        if self._ending:
            return
        self._ending = True
        process = self._process
        if process is not None and process.returncode is None:
            assert process.stdin is not None
            process.stdin.write(b"stop\n")
            await asyncio.wait([self._serving], timeout=_LEAVE)
            if not self._serving.done():
                for pid in self._group.members():
                    os.kill(pid, signal.SIGKILL)
        self._looking.cancel()
        await asyncio.wait([self._serving, self._looking])

    async def _ask(self) -> None:
        """Be the clients, from now on."""
        self._began = time.monotonic()
        for request in self._requests:
            pause = self._began + request.at - time.monotonic()
            if pause > 0:
                await asyncio.sleep(pause)
            self._waiting[request.number] = request
            if self._up.is_set():
                self._send([request])
        await asyncio.sleep(self._scenario.deadline + 0.5)

    def _send(self, requests: Sequence[Request]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        lines = [
            f"{request.model} {request.number} {request.size} "
            f"{self._began + request.at + self._scenario.deadline}\n"
            for request in requests
        ]
        with suppress(BrokenPipeError, ConnectionResetError):
            self._process.stdin.write("".join(lines).encode())

    async def _keep_running(self) -> None:
        while not self._ending:
            self._process = process = await asyncio.create_subprocess_exec(
                *command(self.arm, self._scenario, self._seconds, self._group, self._folder),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                env=_ENVIRONMENT, cwd=ROOT,
            )  # fmt: skip
            self._cpu.append(0.0)
            assert process.stdout is not None
            async for line in process.stdout:
                self._hear(line.decode())
            self._up.clear()
            self._codes.append(await process.wait())
            if self._ending:
                return
            if math.isnan(self._began):
                raise RuntimeError(f"{self.arm.label} ended before the trial began")
            self._stops.append(time.monotonic() - self._began)
            await asyncio.sleep(RESTART_PAUSE)

    def _hear(self, line: str) -> None:
        word, _, rest = line.strip().partition(" ")
        if word == "done":
            number = int(rest)
            self._waiting.pop(number, None)
            self._answered.setdefault(number, time.monotonic() - self._began)
        elif word == "drop":
            self._waiting.pop(int(rest), None)
        elif word == "ready":
            self._up.set()
            now = time.monotonic()
            latest = now - self._began - self._scenario.deadline
            self._waiting = {n: r for n, r in self._waiting.items() if r.at > latest}
            self._send(list(self._waiting.values()))
        elif word == "cpu":
            self._cpu[-1] = float(rest)
        elif word == "actions":
            self._actions.update(json.loads(rest))

    async def _look(self) -> None:
        """Tell earlyoom what the group uses; ask for the end at the line of drain and restart."""
        line = self.arm.drains_at(self._scenario)
        if self.arm.kind != EARLYOOM and line == math.inf:
            return
        asked: asyncio.subprocess.Process | None = None
        while True:
            used = self._group.working_set_mb()
            with (self._folder / MEMINFO).open("r+", encoding="ascii") as file:
                file.write(meminfo_text(self._scenario.budget, used))
            if used > line and self._up.is_set() and asked is not self._process:
                asked = self._process
                for pid in self._group.members():
                    os.kill(pid, signal.SIGTERM)
            await asyncio.sleep(_LOOK)


async def run_trial(
    scenario: Scenario, arms: Sequence[Arm], seconds: float, seed: int
) -> dict[str, Any]:
    """Run all arms of a trial side by side and return what came of each, by its label."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):  # then, too, everything is undone
        loop.add_signal_handler(number, task.cancel)
    requests = requests_of(scenario, seconds, seed)
    began = time.time()
    runs = [ArmRun(arm, scenario, seconds, requests) for arm in arms]
    neighbour = asyncio.create_task(_neighbour(scenario, seconds))
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        try:
            await asyncio.gather(*(run.start(stack, Path(folder)) for run in runs))
            found = await asyncio.gather(
                *(run.serve(BURST_EVERY * place / len(runs)) for place, run in enumerate(runs))
            )
        finally:
            neighbour.cancel()
            await asyncio.wait([neighbour, *(asyncio.create_task(run.end()) for run in runs)])
    return {
        "scenario": scenario.name, "seed": seed, "seconds": seconds,
        "began": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(began)),
        "load": os.getloadavg()[0],
        "arms": {arm.label: result for arm, result in zip(arms, found, strict=True)},
    }  # fmt: skip


async def _neighbour(scenario: Scenario, seconds: float) -> None:
    """Another program that wants every core, in the middle of the trial."""
    if not scenario.neighbour:
        return
    await asyncio.sleep(scenario.load + seconds * (1.0 - scenario.neighbour) / 2.0)
    burn = [sys.executable, "-c", "while True: pass"]
    burners = [
        await asyncio.create_subprocess_exec(*burn) for _ in range(len(os.sched_getaffinity(0)))
    ]
    try:
        await asyncio.sleep(seconds * scenario.neighbour)
    finally:
        for burner in burners:
            burner.kill()
            await burner.wait()
