"""What a run looks at beside the engine: what is used up, breaches, and ending the program."""

from __future__ import annotations

import signal
import time
from math import inf, isnan
from typing import TYPE_CHECKING

from amptalk.model.appeal import ASK, Appeal
from amptalk.run.breach import ENDING_SECONDS, Breaches

if TYPE_CHECKING:
    from amptalk.run.runner import Run

_NEAR = 0.85
"""Share of the energy from which on the program is asked for less."""
_SOONEST = 0.01


class Guarding:
    """Looks after each tick; one program long."""

    def __init__(self, run: Run, begun: float) -> None:
        self._run = run
        self._begun = begun
        self._breaches = Breaches()
        self._kill_at = inf
        self._asked_for_energy = False

    def look(self, now: float) -> float:
        """Act on what is exceeded; seconds until this is to be called again at the latest."""
        run = self._run
        watching = run.watching
        assert watching is not None  # noqa: S101 - called after a tick
        found = self._breaches.begun(
            watching.states, watching.acting.asking, watching.acting.askable,
            quota=watching.quota,
        )  # fmt: skip
        wait = inf
        budgets = run.options.budgets()
        if "wall_time" in budgets:
            left = self._begun + budgets["wall_time"] - now
            wait = max(_SOONEST, left) if left > 0 else inf
            if left <= 0:
                text = f"wall time {budgets['wall_time']:g} s is over"
                found += self._breaches.used_up("wall_time", text)
        if "energy" in budgets:
            found += self._energy(budgets["energy"])
        for text in found:
            self._breach(text)
        if now >= self._kill_at:
            run.send_all(signal.SIGKILL)
            wait = _SOONEST
        return min(wait, max(_SOONEST, self._kill_at - now))

    def _energy(self, limit: float) -> list[str]:
        run = self._run
        assert run.watching is not None  # noqa: S101 - called after a tick
        joules, _ = run.watching.energy()
        if isnan(joules):
            return []
        if joules >= _NEAR * limit and not self._asked_for_energy:
            self._asked_for_energy = True
            share = max(0.05, 1.0 - joules / limit)
            run.ask(Appeal(ASK, "energy", share, value=joules, limit=limit, unit="J"))
        if joules < limit:
            return []
        return self._breaches.used_up("energy", f"energy {limit:g} J is used up ({joules:.4g} J)")

    def _breach(self, text: str) -> None:
        run = self._run
        assert run.watching is not None  # noqa: S101 - called after a tick
        run.watching.note("breach", text=text, on_breach=run.options.on_breach)
        if run.options.on_breach == "warn":
            run.warn(text)
        elif not run.breached:
            run.breached = text
            self._kill_at = time.monotonic() + ENDING_SECONDS
            run.send_all(signal.SIGTERM)
