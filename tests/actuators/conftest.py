"""A gate of admission with limits of memory and CPU, and threads that hold it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from amptalk.actuators.admission import AdmissionGate
from tests.actuators.gates import Hold, Holder, made


@pytest.fixture
def gate() -> AdmissionGate:
    return made()


@pytest.fixture
def hold(gate: AdmissionGate) -> Iterator[Hold]:
    holders: list[Holder] = []

    def start(*, memory_mb: float | None = None) -> Holder:
        holders.append(Holder(gate, memory_mb=memory_mb))
        return holders[-1]

    yield start
    for holder in holders:
        holder.leave()
