"""Work of flexible size that began of late: how small it had to be, and what it needs at the least.

Its next run follows within moments and can be as small as its least size, so it still counts for
a while after it has ended. Pure.
"""

from __future__ import annotations

from amptalk.actuators.admission_request import NOT_SHRUNK, Request, Shrunk

_LATELY = 2.0
"""Seconds for which it counts from its begin."""


class FlexibleWork:
    """By job, the newest that began. Not thread-safe."""

    def __init__(self) -> None:
        self._newest: dict[str | None, Request] = {}

    def begins(self, request: Request) -> Request:
        """It begins; returns the run before it, itself when it is the first of its job."""
        before = self._newest.get(request.job, request)
        self._newest[request.job] = request
        return before

    def lately(self, now: float) -> list[Request]:
        """What began just now, whether it has ended or not."""
        return [one for one in self._newest.values() if now - one.started < _LATELY]

    def shrunk(self, resource: str, now: float) -> Shrunk:
        """How far the newest had to be smaller than it wanted to be; of several the most."""
        found = NOT_SHRUNK
        for request in self.lately(now):
            if request.larger is not None and resource in request.amounts:
                wanted = request.larger.wanted
                share = 1.0 - request.size / wanted.size
                if share > found.share:
                    found = Shrunk(share, wanted.amounts[resource] - request.amounts[resource])
        return found
