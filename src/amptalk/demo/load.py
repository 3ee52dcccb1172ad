"""The demonstration's application: three models served by child processes, under real load.

Vision works in batches that take memory, speech leaks a cache, language comes in
bursts that are announced. The application obeys its manager only through what any
user has: two knobs, admission and announcements. It never looks at a limit.
"""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from amptalk.model.errors import AdmissionTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable

    from amptalk.manager import ResourceManager

WORKER = Path(__file__).with_name("worker.py")
LARGEST_BATCH = 8
FULL_VISION_SHARE = 0.8
"""Memory of all vision workers at the largest batch, as a share of the limit."""
FULL_CACHE_SHARE = 0.7
BURST_SHARE = 0.3
LEAK_SHARE = 0.012
"""Growth of the speech cache a request, as a share of the limit."""
BURST_EVERY = (2.0, 4.0)
"""Seconds between bursts, drawn evenly."""
PATIENCE = 1.0
"""Seconds a request waits for admission before it looks whether the server is stopping."""


class Work(NamedTuple):
    """Units of work done so far."""

    images: int
    utterances: int
    summaries: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.images + self.utterances + self.summaries


class Worker:
    """One child process that serves one request at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own script
            [sys.executable, "-E", "-S", str(WORKER)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def serve(self, **request: float) -> bool:
        """Send one request and wait for its end; False when the worker is gone."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            return False
        try:
            stdin.write(json.dumps(request) + "\n")
            stdin.flush()
            return bool(stdout.readline())
        except (OSError, ValueError):
            return False

    def end(self) -> None:
        """End the process: by end of input, and by signal when that does not do."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            self._process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class ModelServer:
    """The application. `start`, let it run, `stop`; `work` says what it got done."""

    def __init__(self, manager: ResourceManager, limit_mb: float, cores: float, seed: int) -> None:
        self._manager = manager
        self._random = random.Random(seed)  # noqa: S311 - a schedule, not a secret
        self._stopping = threading.Event()
        self._vision_workers = max(2, min(8, round(cores)))
        self._image_mb = FULL_VISION_SHARE * limit_mb / (self._vision_workers * LARGEST_BATCH)
        self._leak_mb = max(1.0, LEAK_SHARE * limit_mb)
        self._burst_mb = BURST_SHARE * limit_mb
        self.batch = manager.knob("batch_size", minimum=1, maximum=LARGEST_BATCH, resource="memory")
        self.cache = manager.knob(
            "cache_mb", minimum=8, maximum=round(FULL_CACHE_SHARE * limit_mb), resource="memory"
        )
        self._images = [0] * self._vision_workers
        self._utterances = 0
        self._summaries = 0
        self._workers: list[Worker] = []
        self._threads: list[threading.Thread] = []

    @property
    def work(self) -> Work:
        """What was done so far."""
        return Work(sum(self._images), self._utterances, self._summaries)

    def start(self) -> None:
        """Start the worker processes and the threads that feed them."""
        for number in range(self._vision_workers):
            self._run(partial(self._vision, number))
        self._run(self._speech)
        self._run(self._language)

    def stop(self) -> None:
        """Finish the requests in flight and end every worker process."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=10)
        for worker in self._workers:
            worker.end()

    def _run(self, serve: Callable[[Worker], None]) -> None:
        worker = Worker()
        self._workers.append(worker)
        thread = threading.Thread(target=serve, args=(worker,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _vision(self, number: int, worker: Worker) -> None:
        while True:
            batch = int(self.batch.value)
            batch_mb = batch * self._image_mb
            serve = partial(
                worker.serve, allocate_mb=batch_mb, cpu_ms=20 * batch, hold_ms=40 + 5 * batch
            )
            if not self._admitted("vision", serve, memory_mb=batch_mb):
                return
            self._images[number] += batch

    def _speech(self, worker: Worker) -> None:
        def one_utterance() -> bool:
            return worker.serve(
                cpu_ms=40, hold_ms=30, cache_mb=self._leak_mb, cache_limit_mb=self.cache.value
            )

        while self._admitted("speech", one_utterance):
            self._utterances += 1

    def _language(self, worker: Worker) -> None:
        serve = partial(worker.serve, allocate_mb=self._burst_mb, cpu_ms=300, hold_ms=500)
        while True:
            pause = self._random.uniform(*BURST_EVERY)
            with self._manager.announce(memory_mb=self._burst_mb, starts_in=pause, duration=1.0):
                if self._stopping.wait(pause):
                    return
                if not self._admitted("summarise", serve, memory_mb=self._burst_mb):
                    return
                self._summaries += 1

    def _admitted(
        self, job: str, serve: Callable[[], bool], memory_mb: float | None = None
    ) -> bool:
        """Run one request once it is admitted; False when the server stops or the worker died."""
        while not self._stopping.is_set():
            try:
                with self._manager.admit(job, memory_mb=memory_mb, timeout=PATIENCE):
                    return serve()
            except AdmissionTimeoutError:
                continue
        return False
