"""The service: one process with its models, told what to do on standard input.

    python -m benchmarks.serving.process '{"scenario": …, "control": …, "left_behind": …}'

It prints `ready` once the first model is loaded, `done N` and `drop N` for requests, `cpu S`
each second. SIGTERM and the line `stop` have it answer what runs and end; requests that
wait stay unanswered, and their clients ask again.
"""

from __future__ import annotations

import json
import math
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Any, NamedTuple

from benchmarks.serving.control import Control, Fixed, Levers, Managed, Room
from benchmarks.serving.models import ArrayModel, Model, second_model, touched
from benchmarks.serving.requests import FIRST, SECOND
from benchmarks.serving.scenarios import BY_NAME, IDLE_UNLOAD, LARGEST_BATCH

_SECOND_BATCH = 2
_REFUSED_SECONDS = 2.0
"""After a refused load the next one is tried so much later."""


class Asked(NamedTuple):
    """A request as the service was told of it."""

    number: int
    size: float
    deadline: float
    """Monotonic seconds."""


class Queue:
    """Requests that wait for one model."""

    def __init__(self) -> None:
        self._waiting: deque[Asked] = deque()
        self._changed = threading.Condition()
        self.closed = False

    def put(self, asked: Asked) -> None:
        """Append one."""
        with self._changed:
            self._waiting.append(asked)
            self._changed.notify()

    def close(self) -> None:
        """Have whoever waits go home."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()

    def wait(self, timeout: float | None = None) -> int:
        """How many wait, once there are any, the queue is closed or time is up."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self.closed, timeout)
            return 0 if self.closed else len(self._waiting)

    def sizes(self, most: int) -> list[float]:
        """Of the oldest ones."""
        with self._changed:
            return [asked.size for asked in islice(self._waiting, most)]

    def take(self, room: Room) -> list[Asked]:
        """Take the oldest ones for which there is room, one at least."""
        taken: list[Asked] = []
        left = room.total * (1.0 + 1e-9)
        with self._changed:
            while self._waiting and len(taken) < room.most:
                left -= self._waiting[0].size
                if taken and left < 0.0:
                    break
                taken.append(self._waiting.popleft())
        return taken

    def drop_hopeless(self, seconds: float) -> list[Asked]:
        """Take those whose answer, `seconds` from now, would come too late."""
        line = time.monotonic() + seconds
        with self._changed:
            hopeless = [asked for asked in self._waiting if asked.deadline < line]
            self._waiting = deque(asked for asked in self._waiting if asked.deadline >= line)
        return hopeless


class Service:
    """Two models, a thread and a queue for each, and what requests leave behind."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._scenario = scenario = BY_NAME[config["scenario"]]
        self._left_behind = config["left_behind"]
        self._kept: list[Any] = []
        self._first = ArrayModel(scenario.first, scenario.load)
        self._second = second_model(scenario)
        self._second_loaded = False
        self._second_allowed = True
        self._second_lock = threading.Lock()
        self._refused_until = 0.0
        self.queues = {FIRST: Queue(), SECOND: Queue()}
        self._lasted = dict.fromkeys(self.queues, 0.0)
        """Seconds that the last batch took, its wait for room included."""
        levers = Levers(self._kept.clear, self.unload_second, self._allow_second, self.close)
        settings = config["control"]
        self._control: Control = (
            Managed(scenario, settings, levers)
            if "strategy" in settings
            else Fixed(Room(settings["batch"], settings["total"]))
        )
        self._saying = threading.Lock()

    def run(self) -> None:
        """Load, serve until closed, tell what was done."""
        if not self._first.load(lambda: not self.queues[FIRST].closed):
            return
        self.say("ready")
        serving = [
            threading.Thread(target=self._serve, args=(FIRST, self._first, LARGEST_BATCH)),
            threading.Thread(target=self._serve, args=(SECOND, self._second, _SECOND_BATCH)),
        ]
        for thread in serving:
            thread.start()
        for thread in serving:
            thread.join()
        self.say(f"actions {json.dumps(self._control.close())}")
        self.say(f"cpu {time.process_time():.3f}")

    def close(self) -> None:
        """Take no more; what runs is answered."""
        for queue in self.queues.values():
            queue.close()

    def say(self, line: str) -> None:
        """Print a line at once."""
        with self._saying:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()

    def unload_second(self) -> None:
        """Give the second model's weights back, and load it no more until it is allowed."""
        self._second_allowed = False
        self._drop_second()

    def _allow_second(self) -> None:
        self._second_allowed = True

    def _drop_second(self) -> None:
        with self._second_lock:
            self._second_loaded = False
            self._second.unload()

    def _serve(self, name: str, model: Model, largest: int) -> None:
        queue = self.queues[name]
        while not queue.closed:
            waiting = queue.wait(IDLE_UNLOAD if self._second_loaded and name == SECOND else None)
            if not waiting:
                if name == SECOND:
                    self._drop_second()
                continue
            if name == SECOND and not self._second_ready():
                for asked in queue.take(Room(waiting, math.inf)):
                    self.say(f"drop {asked.number}")
                continue
            self._serve_batch(queue, name, model, min(waiting, largest))

    def _serve_batch(self, queue: Queue, name: str, model: Model, most: int) -> None:
        began = time.monotonic()
        for asked in queue.drop_hopeless(self._lasted[name]):
            self.say(f"drop {asked.number}")
        sizes = queue.sizes(most)
        if not sizes:
            self._lasted[name] = 0.0
            return
        with self._control.batch(name, sizes) as room:
            batch = queue.take(room)
            if name == SECOND:
                with self._second_lock:
                    if not self._second_loaded:  # it had to go meanwhile
                        for asked in batch:
                            self.say(f"drop {asked.number}")
                        return
                    model.run([asked.size for asked in batch])
            else:
                model.run([asked.size for asked in batch])
        self._lasted[name] = time.monotonic() - began
        for asked in batch:
            self.say(f"done {asked.number}")
            if self._left_behind:
                self._kept.append(touched(self._left_behind))

    def _second_wanted(self) -> bool:
        return self._second_allowed and not self.queues[SECOND].closed

    def _second_ready(self) -> bool:
        if self._second_loaded:
            return True
        if not self._second_allowed or time.monotonic() < self._refused_until:
            return False
        with self._control.loading() as allowed:
            if allowed:
                with self._second_lock:
                    self._second_loaded = self._second.load(self._second_wanted)
                    return self._second_loaded
        self._refused_until = time.monotonic() + _REFUSED_SECONDS
        return False


def _tell_cost(say: Callable[[str], None]) -> None:
    while True:
        time.sleep(1.0)
        say(f"cpu {time.process_time():.3f}")


def main() -> None:
    """Serve until told to stop."""
    service = Service(json.loads(sys.argv[1]))
    signal.signal(signal.SIGTERM, lambda *_: service.close())
    threading.Thread(target=_tell_cost, args=(service.say,), daemon=True).start()
    threading.Thread(target=_read, args=(service,), daemon=True).start()
    service.run()


def _read(service: Service) -> None:
    for line in sys.stdin:
        if line == "stop\n":
            break
        model, number, size, deadline = line.split()
        service.queues[model].put(Asked(int(number), float(size), float(deadline)))
    service.close()


if __name__ == "__main__":
    main()
