"""A double of torch: counts of threads that belong to a thread, and one GPU's allocator."""

from __future__ import annotations

import sys
import threading
from types import ModuleType
from typing import Any

import pytest

MB = 2**20


class Cuda:
    """`torch.cuda`; whatever would start CUDA fails the test."""

    def __init__(self) -> None:
        self.started = True
        self.reserved = {0: 1000 * MB}
        self.cached = 400 * MB
        self.fraction = 1.0
        self.total = 8000 * MB
        self.keeps = True

    def is_initialized(self) -> bool:
        return self.started

    def device_count(self) -> int:
        assert self.started
        return 2

    def memory_reserved(self, device: int) -> int:
        assert self.started
        return self.reserved.get(device, 0)

    def empty_cache(self) -> None:
        assert self.started
        self.reserved[0] -= self.cached
        self.cached = 0

    def get_device_properties(self, device: int) -> Any:
        assert self.started
        assert device == 0
        found = ModuleType("properties")
        found.total_memory = self.total  # type: ignore[attr-defined]
        return found

    def get_per_process_memory_fraction(self, device: int) -> float:
        assert self.started
        assert device == 0
        return self.fraction

    def set_per_process_memory_fraction(self, fraction: float, device: int) -> None:
        assert self.started
        assert device == 0
        if self.keeps:
            self.fraction = fraction


class Torch(ModuleType):
    """`torch`, built with OpenMP: a thread that has computed keeps its own count."""

    def __init__(self, count: int = 8) -> None:
        super().__init__("torch")
        self.cuda = Cuda()
        self.first = count
        self._own = threading.local()

    def get_num_threads(self) -> int:
        return getattr(self._own, "count", self.first)

    def set_num_threads(self, count: int) -> None:
        self._own.count = count


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> Torch:
    """The application has loaded torch."""
    made = Torch()
    monkeypatch.setitem(sys.modules, "torch", made)
    return made
