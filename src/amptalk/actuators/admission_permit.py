"""The context manager that `admit` returns: asks when it is entered, gives back when it is left."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

from amptalk.actuators.admission_request import Request, Status
from amptalk.actuators.amounts import amount
from amptalk.model.errors import ConfigurationError

if TYPE_CHECKING:
    from amptalk.actuators.admission import AdmissionGate


MOST_SIZES = 16
"""Of a range of sizes so many are looked at, evenly from the least to the most."""


class Admission:
    """Leave to run one piece of work, held from entering the context to leaving it."""

    __slots__ = ("_amounts", "_gate", "_job", "_request", "_sizes", "_timeout", "size")

    def __init__(
        self,
        gate: AdmissionGate,
        job: str | None,
        sizes: tuple[float, ...],
        amounts: dict[str, float],
        timeout: float | None,
    ) -> None:
        self._gate = gate
        self._sizes = sizes
        self.size = sizes[0]
        """Of the work, as declared or, of several, as admitted; `nan` when it was not declared."""
        self._job = job
        self._amounts = amounts
        self._timeout = timeout
        self._request: Request | None = None

    def __enter__(self) -> Admission:
        request = self._gate.begin(self._job, self._sizes, self._amounts)
        if request.status is not Status.RUNNING:
            self._gate.wait(request, self._timeout)
        self._request = request
        self.size = request.size
        return self

    def __exit__(self, *_error: object) -> None:
        request, self._request = self._request, None
        if request is not None:
            self._gate.end(request)

    async def __aenter__(self) -> Admission:
        request = self._gate.begin(self._job, self._sizes, self._amounts)
        if request.status is not Status.RUNNING:
            await self._gate.wait_async(request, self._timeout)
        self._request = request
        self.size = request.size
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.__exit__()


def sizes_of(
    size: float | tuple[float, float] | list[float] | None,
    job: str | None,
    asked: Mapping[str, float],
) -> tuple[float, ...]:
    """Check a declared size and return all that the work may have, the least first.

    One `nan` for none declared. Raises `ConfigurationError`.
    """
    if size is None:
        return (math.nan,)
    given = size if isinstance(size, (tuple, list)) else [size]
    sizes = tuple([amount("size", one) for one in given])
    if not sizes or sizes[0] == 0.0 or job is None:
        raise ConfigurationError(
            f"size={size!r} of job {job!r}: a size is above 0 and needs the job's name to be "
            "learned from"
        )
    if asked and len(sizes) > 1:
        raise ConfigurationError(
            f"size={size!r} of job {job!r}: what work of several sizes takes is learned: leave "
            f"out {', '.join(asked)}"
        )
    if isinstance(given, tuple):
        return _between(size, job, sizes)
    if any(one >= other for one, other in pairwise(sizes)):
        raise ConfigurationError(
            f"size={size!r} of job {job!r}: list the sizes that it may have, the least first"
        )
    return sizes


def _between(size: object, job: str, ends: tuple[float, ...]) -> tuple[float, ...]:
    """All sizes of a range, or so many of them, evenly."""
    if len(ends) != 2 or ends[1] < ends[0] or ends[0] % 1.0 or ends[1] % 1.0:
        raise ConfigurationError(
            f"size={size!r} of job {job!r}: a range is two whole numbers, the least first"
        )
    least, most = ends
    if least == most:
        return (least,)
    step = max(1.0, (most - least) / (MOST_SIZES - 1))
    count = math.ceil((most - least) / step)
    return (*(least + float(int(step * n)) for n in range(count)), most)
