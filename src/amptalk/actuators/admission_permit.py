"""The context manager that `admit` returns: asks when it is entered, gives back when it is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amptalk.actuators.admission_queue import Request, Status

if TYPE_CHECKING:
    from amptalk.actuators.admission import AdmissionGate


class Admission:
    """Leave to run one piece of work, held from entering the context to leaving it."""

    __slots__ = ("_amounts", "_gate", "_job", "_request", "_size", "_timeout")

    def __init__(
        self,
        gate: AdmissionGate,
        job: str | None,
        size: float,
        amounts: dict[str, float],
        timeout: float | None,
    ) -> None:
        self._gate = gate
        self._size = size
        self._job = job
        self._amounts = amounts
        self._timeout = timeout
        self._request: Request | None = None

    def __enter__(self) -> Admission:
        request = self._gate.begin(self._job, self._size, self._amounts)
        if request.status is not Status.RUNNING:
            self._gate.wait(request, self._timeout)
        self._request = request
        return self

    def __exit__(self, *_error: object) -> None:
        request, self._request = self._request, None
        if request is not None:
            self._gate.end(request)

    async def __aenter__(self) -> Admission:
        request = self._gate.begin(self._job, self._size, self._amounts)
        if request.status is not Status.RUNNING:
            await self._gate.wait_async(request, self._timeout)
        self._request = request
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.__exit__()
