"""One order carried out: each sample read, judged and acted on, and told once it is over."""

from __future__ import annotations

import signal
from contextlib import suppress

from amptalk.actuators.guardian.lookout import Child, GroupMemory, growing, spared_last
from amptalk.actuators.guardian.orders import Order, Told, Watched
from amptalk.actuators.guardian.pressure import LATEST, Move, Pressure
from amptalk.sensors.files import SensorFault

_MB = 2.0**20


class Story:
    """What was done since the first sign of danger."""

    __slots__ = ("asked", "before", "began", "child", "killed", "peak", "stop_at", "stops")

    def __init__(self, began: float, before: float, child: Child) -> None:
        self.began = began
        self.before = before
        self.child = child
        """The cause: whoever was stopped or asked first."""
        self.stops = 0
        self.asked: Child | None = None
        self.killed = False
        self.peak = before

    def told(self, now: float, used: float, pressure: Pressure) -> Told:
        """Put it into words."""
        child = self.child
        rate, highest, cap = pressure.peak / _MB, self.peak / _MB, pressure.cap / _MB
        parts = [
            f"process {child.pid} ({child.name}) grew by up to {rate:.0f} MB/s, the whole to "
            f"{highest:.0f} MB of {cap:.0f} MB at which the kernel kills"
        ]
        if self.stops:
            parts.append(f"stopped {self.stops} times")
        if self.asked is not None:
            who = "" if self.asked is child else f"process {self.asked.pid} ({self.asked.name}) "
            end = "was killed" if self.killed else "ended" if self.asked.gone else "has shrunk"
            parts.append(f"{who}asked to end, {end}")
        elif child.gone:
            parts.append("it has ended by itself")
        helped = used < max(self.before, self.peak - _MB)
        return Told(
            self.began, now - self.began, self.before / _MB, used / _MB, helped, "; ".join(parts)
        )


class Watch:
    """Watches one group's memory until the next order. Never raises in `step`."""

    def __init__(self, proc: str, order: Order) -> None:
        """Raises `OSError` when the group cannot be read."""
        self._proc = proc
        self._order = order
        self._memory = GroupMemory(order.usage)
        self._pressure = Pressure(order.limit, order.cap)
        self._children: list[Child] = []
        for watched in order.children:
            self._add(watched)
        self._story: Story | None = None
        self._used = 0.0

    def step(self, now: float) -> float:
        """Take a sample and act; returns the seconds until the next."""
        pressure, children = self._pressure, self._children
        try:
            used = self._used = float(self._memory.read())
        except (OSError, ValueError):
            self._let_go(now)
            return LATEST
        for child in children:
            child.look(now)
        story = self._story
        if story is not None:
            story.peak = max(story.peak, used)
            if pressure.asked and story.asked is not None and story.asked.gone:
                pressure.ended()
        move = pressure.step(now, used, can_end=spared_last(children) is not None)
        if move is not Move.NOTHING:
            self._carry_out(move, now, used)
        return pressure.wait(used)

    def _carry_out(self, move: Move, now: float, used: float) -> None:
        pressure = self._pressure
        if move is Move.STOP:
            child = growing(self._children, pressure.rate)
            if child is not None:
                child.stop()
                self._begun(now, used, child).stops += 1
                pressure.did(move, now)
                return
            able = spared_last(self._children) is not None
            move = pressure.unstoppable(used, can_end=able)
        if move is Move.GO:
            self._let_go(now)
        elif move is Move.ASK:
            child = spared_last(self._children)
            if child is not None:
                child.end(signal.SIGTERM)
                self._begun(now, used, child).asked = child
                pressure.did(move, now)
        elif move is Move.KILL and self._story is not None and self._story.asked is not None:
            self._story.asked.end(signal.SIGKILL)
            self._story.killed = True

    def _begun(self, now: float, used: float, child: Child) -> Story:
        if self._story is None:
            self._story = Story(now, used, child)
        return self._story

    def _let_go(self, now: float) -> None:
        for child in self._children:
            child.go()
        self._pressure.did(Move.GO, now)

    def over(self, now: float) -> Told | None:
        """What there is to tell, once there is no danger any more."""
        story = self._story
        if story is None or not self._pressure.quiet(now):
            return None
        told = story.told(now, self._used, self._pressure)
        self._story = None
        self._pressure.forget()
        return told

    def follow(self, order: Order) -> bool:
        """Take up another list of children; false when more than that differs."""
        if order._replace(children=()) != self._order._replace(children=()):
            return False
        known = {child.watched: child for child in self._children}
        self._children = []
        for watched in order.children:
            child = known.pop(watched, None)
            if child is None:
                self._add(watched)
            else:
                self._children.append(child)
        for child in known.values():
            child.close()
        self._order = order
        return True

    def _add(self, watched: Watched) -> None:
        with suppress(OSError, SensorFault):  # it has ended since
            self._children.append(Child(self._proc, watched))

    def close(self) -> None:
        """Let everything go on and close all files."""
        for child in self._children:
            child.close()
        self._memory.close()
