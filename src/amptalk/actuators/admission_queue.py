"""Who may start next: the rules of admission, on data alone.

Pure: no threads, no clock, no waiting; `admission` adds those. First in, first out:
a small late request never overtakes. The head of the queue passes when

- every hold resource it uses is below critical, or was and its value is back below the
  line where critical is clear (with nothing running at all, below emergency, so that
  work cannot stand still for ever);
- each amount fits: committed + amount <= limit (`admission_ledger` says what is committed), less
  2 % where the amount was learned and may be exceeded by one run in 20;
- the rest that the allocation imposes is over (`admission_rests`).

One that may not start although nothing runs waits for something that is not work. Until then it
lets those pass that may; it is first again whenever nothing runs.

Work that may have several **sizes** starts with the largest that fits and leaves 2 % free, and room
for what else grows while it runs, if it runs as long as it did last. It gives way to what there is
by itself, so levels do not hold it back where its amounts are known.

Work of **unknown cost**, such as the first run of a job, starts beside other work while no more
than the line of critical is committed, and beside it flexible work fills no more than that.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from itertools import islice

from amptalk.actuators.admission_flexible import FlexibleWork
from amptalk.actuators.admission_ledger import Ledger
from amptalk.actuators.admission_request import Request, Status, View
from amptalk.actuators.admission_rests import Rests
from amptalk.actuators.jobs.watch import UNREAD, Held
from amptalk.actuators.verdicts import NEVER_MEASURED, Measurement
from amptalk.model.level import Level, LimitState
from amptalk.model.resource import Resource

NOTHING: Mapping[str, Held] = {}
LOOKED_AT = 16
"""So many of those that wait are told of; the others start later than matters."""


class AdmissionQueue:
    """The queue and its ledgers. Not thread-safe."""

    def __init__(self, limits: Iterable[tuple[Resource, float]]) -> None:
        self._ledgers = {resource.name: Ledger(resource, limit) for resource, limit in limits}
        self._waiting: deque[Request] = deque()
        self._running: set[Request] = set()
        self._rests = Rests()
        self.declared_at: dict[str, float] = {}
        """By resource, when work began last that said itself what it takes of it."""
        self.flexible = FlexibleWork()

    @property
    def busy(self) -> bool:
        """True while anything runs or waits."""
        return bool(self._running or self._waiting)

    @property
    def head(self) -> Request | None:
        """The request that is next."""
        return self._waiting[0] if self._waiting else None

    def members(self) -> Iterable[Request]:
        """Everything that runs or waits."""
        yield from self._running
        yield from self._waiting

    def excess(self, amounts: dict[str, float]) -> tuple[str, float, float, str] | None:
        """Name the amount that is larger than its limit: resource, amount, limit, unit."""
        for name, asked in amounts.items():
            ledger = self._ledgers.get(name)
            if ledger is not None and asked > ledger.limit * (1.0 + 1e-9):
                return name, asked, ledger.limit, ledger.unit
        return None

    def update(
        self, limits: tuple[LimitState, ...], pace: float, own: Mapping[str, Held] = NOTHING
    ) -> None:
        """Take a tick's limits, the allocation `pace` and what the application holds itself."""
        for state in limits:
            name = state.resource.name
            ledger = self._ledgers.get(name)
            if ledger is None:
                ledger = self._ledgers[name] = Ledger(state.resource, state.limit)
            held = own.get(name)
            ledger.take(state, self._taken(name, held), held or UNREAD)
        self.read(own)
        self._rests.set_pace(pace)

    def read(self, own: Mapping[str, Held]) -> None:
        """The application holds `own` now."""
        for name, held in own.items():
            ledger = self._ledgers.get(name)
            if ledger is not None and ledger.is_hold:
                ledger.read(held, self._taken(name, held))

    def begun(self, request: Request, own: Mapping[str, Held]) -> None:
        """A request that runs begins to take while the application holds `own`."""
        request.climbed = {name: held.climbed for name, held in own.items()}
        self.read(own)

    def forget(self) -> None:
        """Nothing measures any more: levels are normal, the amounts alone count, no rests."""
        for ledger in self._ledgers.values():
            outstanding = ledger.outstanding
            ledger.forget()
            ledger.outstanding = outstanding
        self._rests.set_pace(1.0)

    def enter(self, request: Request) -> None:
        """Put a request at the end of the queue; `advance` says whether it may start."""
        request.status = Status.WAITING
        self._waiting.append(request)

    def start(self, request: Request, now: float) -> None:
        """Count a request as running, whatever the rules say."""
        request.status = Status.RUNNING
        request.started = now
        self._running.add(request)
        for name, ledger in self._ledgers.items():
            ledger.outstanding += request.amounts.get(name, 0.0)
        self.declared_at.update(dict.fromkeys(request.amounts.keys() - request.learned, now))

    def advance(self, now: float) -> list[Request]:
        """Start as many from the head as may; returns those that need not wait any more."""
        decided: list[Request] = []
        while self._waiting:
            head = self._waiting[0]
            declared = {n: a for n, a in head.amounts.items() if n not in head.learned}
            if self.excess(declared) is not None:
                head.status = Status.REFUSED
                decided.append(self._waiting.popleft())
                continue
            chosen = self._next(now)
            if chosen is None:
                break
            self._rests.take()
            self._waiting.remove(chosen)
            self._choose(chosen, now)
            self.start(chosen, now)
            decided.append(chosen)
        return decided

    def _next(self, now: float) -> Request | None:
        """The request that may start now: the head, or the first that fits while it cannot."""
        if self._rests.next(now) > now:
            return None
        for request in islice(self._waiting, LOOKED_AT):
            if not self.too_high(request) and not self._misfit(request):
                return request
            if self._running:
                return None
        return None

    def _choose(self, request: Request, now: float) -> None:
        """Take the largest size that fits and leaves some free, if it may have several."""
        if request.larger is None:
            return
        last = self.flexible.begins(request)
        for ledger in self._ledgers.values():
            ledger.follow(now)
        choice = request.larger.largest(lambda amounts: self._spares(amounts, last.lasted))
        if choice is not None:
            request.size, request.amounts = choice.size, choice.amounts

    def obstacle(self, request: Request, now: float) -> str:
        """Why a request may not start; empty when it may."""
        if request is not self.head:
            return "others came first"
        rest = self._rests.next(now)
        if rest > now:
            return f"work rests for {rest - now:.2f} s at an allocation of {self._rests.pace:.2f}"
        return self.too_high(request) or self._misfit(request)

    def _misfit(self, request: Request) -> str:
        """Which amount does not fit; empty when all do."""
        idle = not self._running
        for name, asked in request.amounts.items():
            known = self._ledgers.get(name)
            learned = name in request.learned
            if known is None or known.fits(asked, learned=learned) or (idle and learned):
                continue
            return f"{asked:.0f} {known.unit} of {name} do not fit: {known}"
        return ""

    def too_high(self, request: Request) -> str:
        """Which level keeps a request from starting; empty when none does."""
        if request.larger is not None and request.amounts:
            return ""
        highest = Level.ELEVATED if self._running else Level.CRITICAL
        unknown = self._is_unknown(request)
        for name, ledger in self._ledgers.items():
            if not ledger.is_hold or not (unknown or name in request.amounts):
                continue
            if ledger.level > highest:
                return f"{name} is at level {ledger.level.label}"
            if unknown and self._running and ledger.committed > ledger.room_for_unknown:
                return f"what it takes is not known, and of {name} {ledger}"
        return ""

    def view(self, now: float) -> View:
        """What runs, what waits and what is left, as of now."""
        head = self.head
        if head is None or self.too_high(head):
            return View(tuple(self._running), (), {}, 0.0)
        room = {name: ledger.limit - ledger.committed for name, ledger in self._ledgers.items()}
        rest = max(0.0, self._rests.next(now) - now)
        waiting = tuple(islice(self._waiting, LOOKED_AT))
        return View(tuple(self._running), waiting, room, rest)

    def committed(self, resource: str, now: float) -> float:
        """What running work needs of a held resource at the least, and what is used besides.

        What else grows counts as it will be when a step could help. Work of flexible size counts
        with its least: its next run can be as small. Where nothing runs by an amount, what
        ended just now counts: its next run follows. `nan` without any.
        """
        ledger = self._ledgers.get(resource)
        for working in (self._running, self.flexible.lately(now)):
            least = [request.least[resource] for request in working if resource in request.least]
            if least and ledger is not None and ledger.is_hold:
                return ledger.least(math.fsum(least))
        return math.nan

    def beside(self, resource: str) -> Measurement:
        """What is used of a held resource beside work that runs, and when that was seen last."""
        ledger = self._ledgers.get(resource)
        if ledger is None:
            return NEVER_MEASURED
        return Measurement(ledger.baseline, ledger.bare_at)

    def ready_at(self, now: float) -> float:
        """When the head's rest is over, `inf` when no rest holds it back."""
        rest = self._rests.next(now)
        return rest if self._waiting and rest > now else math.inf

    def leave(self, request: Request, now: float, own: Mapping[str, Held] = NOTHING) -> float:
        """Take a request out, whether it waits or runs; returns for how long it ran.

        `own` is what the application holds as it ends.
        """
        status, request.status = request.status, Status.GONE
        if status is Status.WAITING:
            self._waiting.remove(request)
        if status is not Status.RUNNING:
            return 0.0
        self._running.remove(request)
        for name, asked in request.amounts.items():
            ledger = self._ledgers.get(name)
            if ledger is not None:
                ledger.given_back += asked
                ledger.outstanding = sum(r.amounts.get(name, 0.0) for r in self._running)
        self.read(own)
        seconds = request.lasted = max(0.0, now - request.started)
        self._rests.add(seconds, now)
        return seconds

    def _taken(self, name: str, held: Held | None) -> float:
        """What those that run may have taken of a resource at most; `inf` when unknown."""
        taken = 0.0
        for request in self._running:
            most = request.amounts.get(name, math.inf)
            if held is not None:
                most = min(most, held.climbed - request.climbed.get(name, -math.inf))
            taken += most
        return taken

    def _spares(self, amounts: Mapping[str, float], seconds: float) -> bool:
        """Whether there is room for so much for so long, and some is left free."""
        unknown = any(map(self._is_unknown, self._running))
        return all(
            self._ledgers[name].spares(amount, seconds, unknown=unknown)
            for name, amount in amounts.items()
            if name in self._ledgers
        )

    def _is_unknown(self, request: Request) -> bool:
        """Whether nothing tells what a request takes of what is held."""
        return not any(self._is_hold(name) for name in request.amounts)

    def _is_hold(self, name: str) -> bool:
        ledger = self._ledgers.get(name)
        return ledger is not None and ledger.is_hold
