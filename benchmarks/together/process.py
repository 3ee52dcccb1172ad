"""One model as a service: a process that is told requests on standard input.

    python -m benchmarks.together.process '{"model": "text", "batch": 32, "sharing": null}'

It prints `ready`, then `done N` for each request that it answered and `drop N` for one whose time
was over before it began. With `sharing`, the ledger's URL, it shares `budget` MB with the others:
it says what it wants, takes the largest batch up to `batch` that its grant allows, and gives back
what it is asked for. Without, every batch is as large as `batch` says and what is loaded stays
loaded.
"""

from __future__ import annotations

import json
import math
import sys
import threading
import time
from typing import Any

from amptalk import Request, ResourceManager, create_resource_manager
from benchmarks.serving.control import Room
from benchmarks.serving.process import Asked, Queue
from benchmarks.together.models import SIZES, Model, Size, make

IDLE = 5.0
"""Seconds without a request after which a model that shares rests."""
SHRINK = 6.0
"""Seconds that a batch which has begun may still take."""


class Fixed:
    """No cooperation: a batch of one size, everything stays loaded."""

    def __init__(self, size: Size) -> None:
        self._most = size.most

    def batch(self, waiting: int) -> int:
        """How many may run now; 0 for none yet."""
        return min(waiting, self._most)

    def idle(self) -> bool:
        """Whether the model is to rest."""
        return False

    def ran(self) -> bool:
        """Whether the model is to give working memory back."""
        return False


class Shared:
    """A component that shares memory with the other processes."""

    def __init__(self, name: str, size: Size, budget: float, url: str) -> None:
        self._size = size
        self._shrunk = threading.Event()
        self.manager: ResourceManager = create_resource_manager(
            max_memory_mb=budget, strategy="cooperative", monitoring_interval=0.5, sharing=url
        )
        self._component = self.manager.component(
            name, memory_mb=(size.rest, size.needs(size.most)), shrink_seconds=SHRINK,
            on_shrink=self._asked,
        )  # fmt: skip
        self._component.demand(memory_mb=size.rest)
        self.manager.start_monitoring()

    def batch(self, waiting: int) -> int:
        """What the grant allows of what waits; nothing as long as not even one is allowed."""
        size = self._size
        self._component.demand(memory_mb=size.needs(min(waiting, size.most)))
        granted = self._component.grant("memory")
        if granted < size.loaded:
            return 0
        most = size.most if not size.each else int((granted - size.loaded) / size.each) + 1
        return min(waiting, most, size.most)

    def idle(self) -> bool:
        """Lend everything above the minimum."""
        self._component.demand(memory_mb=self._size.rest)
        return True

    def ran(self) -> bool:
        """After a batch what was asked for is given back."""
        asked = self._shrunk.is_set()
        self._shrunk.clear()
        return asked

    def _asked(self, request: Request) -> None:
        """Remember it for the end of the batch: what runs is not thrown away."""
        del request
        self._shrunk.set()


class Service:
    """Serves until its input ends."""

    def __init__(self, config: dict[str, Any]) -> None:
        name = config["model"]
        size = SIZES[name]
        self._size = size._replace(most=min(size.most, config["batch"]))
        self._model: Model = make(name)
        self._queue = Queue()
        url = config["sharing"]
        self._control = (
            Shared(name, self._size, config["budget"], url) if url else Fixed(self._size)
        )

    def serve(self) -> None:
        """Answer batches."""
        if not self._control.idle():  # warm, as services are that have nothing else to think of
            self._model.load()
            self._model.run([1.0])
        say("ready")
        rested = True
        while not self._queue.closed:
            waiting = self._queue.wait(IDLE)
            for late in self._queue.drop_hopeless(0.0):
                say(f"drop {late.number}")
            count = self._control.batch(waiting) if waiting else 0
            if count:
                self._answer(self._queue.take(Room(count, math.inf)))
                rested = False
            elif waiting:
                time.sleep(0.02)  # its share is on its way
            elif not rested and self._control.idle():
                self._model.rest()
                rested = True

    def _answer(self, batch: list[Asked]) -> None:
        if not batch:
            return
        self._model.load()
        self._model.run([one.size for one in batch])
        for one in batch:
            say(f"done {one.number}")
        if self._control.ran():
            self._model.rest()

    def listen(self) -> None:
        """Take requests, `number size deadline`."""
        for line in sys.stdin:
            number, size, deadline = line.split()
            self._queue.put(Asked(int(number), float(size), float(deadline)))
        self._queue.close()


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Serve what the first argument says."""
    service = Service(json.loads(sys.argv[1]))
    listening = threading.Thread(target=service.listen, daemon=True)
    listening.start()
    service.serve()


if __name__ == "__main__":
    main()
