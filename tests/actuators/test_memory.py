"""Trimming gives freed memory back to the system, and not too often."""

from __future__ import annotations

import ctypes
import gc
import math
from types import SimpleNamespace

import pytest

from amptalk.actuators import memory
from amptalk.actuators.hooks import Hook
from amptalk.actuators.memory import MemoryTrim, free_heap_mb
from amptalk.clock import VirtualClock
from amptalk.sensors.own import own_memory_mb
from tests.helpers import output_of


def unknown() -> float:
    return math.nan


def test_what_it_gave_back_is_measured_on_this_process_alone() -> None:
    readings = iter([610.0, 33.0])
    trim = MemoryTrim(VirtualClock(), lambda: next(readings))
    trim.apply(0.0)
    assert trim.measured == (610.0, 33.0)


def test_without_a_reading_of_its_own_the_resource_decides() -> None:
    trim = MemoryTrim(VirtualClock(), unknown)
    trim.apply(0.0)
    assert trim.measured is None


def glibc() -> bool:
    return hasattr(ctypes.CDLL(None), "malloc_trim")


@pytest.mark.skipif(not glibc(), reason="this C library has no malloc_trim")
def test_memory_of_many_small_pieces_returns_to_the_system() -> None:
    before, collected, trimmed = map(
        float,
        output_of(
            "import gc, ctypes\n"
            "from amptalk.actuators.memory import MemoryTrim\n"
            "from amptalk.clock import SystemClock\n"
            "def rss():\n"
            "    return int(open('/proc/self/statm').read().split()[1]) * 4096 / 2**20\n"
            "libc = ctypes.CDLL(None)\n"
            "libc.malloc.restype = ctypes.c_void_p\n"
            "pieces = [libc.malloc(ctypes.c_size_t(60000)) for _ in range(2000)]\n"
            "for piece in pieces: ctypes.memset(ctypes.c_void_p(piece), 1, 60000)\n"
            "full = rss()\n"
            "for piece in pieces[:-1]: libc.free(ctypes.c_void_p(piece))\n"
            "gc.collect()\n"
            "kept = rss()\n"
            "MemoryTrim(SystemClock(), lambda: float('nan')).apply(0.0)\n"
            "print(full, kept, rss())"
        ).split(),
    )
    assert collected > before - 20, "freed pieces stay with the C library"
    assert trimmed < before - 80


def test_unreachable_cycles_are_collected() -> None:
    class Node:
        self: Node
        weak: list[object]

    node = Node()
    node.self = node
    found: list[object] = []
    node.weak = found
    import weakref

    reference = weakref.ref(node)
    gc.disable()
    try:
        del node
        assert reference() is not None
        MemoryTrim(VirtualClock(), unknown).apply(0.0)
    finally:
        gc.enable()
    assert reference() is None


def test_it_runs_again_after_30_s() -> None:
    clock = VirtualClock()
    trim = MemoryTrim(clock, unknown)
    assert trim.available() is None
    trim.apply(0.0)
    clock.advance(29)
    assert "1 s" in (trim.available() or "")
    clock.advance(1)
    assert trim.available() is None


def test_a_long_collection_takes_no_more_than_one_percent_of_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = VirtualClock()
    monkeypatch.setattr(memory, "gc", SimpleNamespace(collect=lambda: clock.advance(2.0)))
    trim = MemoryTrim(clock, unknown)
    trim.apply(0.0)
    clock.advance(199)
    assert trim.available() is not None
    clock.advance(1.5)
    assert trim.available() is None


@pytest.mark.parametrize(
    ("library", "reason"),
    [
        (SimpleNamespace(), "no malloc_trim"),
        (SimpleNamespace(mallctl=1, malloc_trim=1), "jemalloc"),
    ],
)
def test_where_the_c_library_cannot_trim_it_says_so_and_still_collects(
    monkeypatch: pytest.MonkeyPatch, library: SimpleNamespace, reason: str
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    trim = MemoryTrim(VirtualClock(), unknown)
    trim.apply(0.0)
    assert reason in trim.detail


def test_where_it_can_trim_there_is_nothing_to_say() -> None:
    trim = MemoryTrim(VirtualClock(), unknown)
    trim.apply(0.0)
    assert (trim.detail == "") == glibc()


@pytest.mark.skipif(math.isnan(free_heap_mb()), reason="this C library does not tell")
def test_what_a_hook_frees_in_small_pieces_leaves_the_process_at_once() -> None:
    pieces: list[bytearray] = []
    pins: list[bytearray] = []
    for number in range(1000):  # holes between what stays: the heap does not shrink by itself
        (pieces if number % 50 else pins).append(bytearray(60_000))
    before = own_memory_mb()
    Hook("cache", pieces.clear, resource="memory").apply(1.0)
    assert own_memory_mb() < before - 30.0
    assert len(pins) == 20
