"""Threads that computing libraries work with: as many as the CPU limit has cores, and no more.

A pool of as many threads as the machine has cores stalls under a quota, and takes more than its
limit without one. torch and the pools that threadpoolctl knows (OpenBLAS, MKL, BLIS) are told a
count; nothing is imported that the application has not loaded, but for threadpoolctl itself.

With OpenMP, as torch is mostly built, the count belongs to the thread that sets it. So it is set by
the main thread, which the interpreter asks to between two of its instructions; threads that begin
to compute later take it up as well. Threads that have computed already keep theirs: they can set
it themselves by a knob. The count in `OMP_NUM_THREADS` is read once, at the start of the library.
"""

from __future__ import annotations

import ctypes
import importlib
import math
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from types import ModuleType
from typing import Any

from amptalk.actuators.contract import Actuator
from amptalk.model.errors import ActionError
from amptalk.model.level import Level

_LIBRARIES = ("torch", "numpy", "scipy")
_PENDING = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)


def loaded(name: str) -> ModuleType | None:
    """A module that the application has loaded completely; it is never imported."""
    module = sys.modules.get(name)
    if module is None or getattr(getattr(module, "__spec__", None), "_initializing", False):
        return None
    return module


def threads_of(cores: float, percent: float) -> int:
    """Whole cores that a limit comes to, at least one.

    >>> threads_of(4, 60), threads_of(2, 25)
    (2, 1)
    """
    return max(1, math.floor(cores * percent / 100.0 + 1e-9))


class MainThread:
    """Has functions called by the main thread, as soon as it runs Python code again.

    By `Py_AddPendingCall` (Python/C API, "Asynchronous Notifications"); from that thread itself
    they are called at once.
    """

    def __init__(self) -> None:
        self._waiting: list[Any] = []

    def call(self, function: Callable[[], object]) -> None:
        """Have it called; what it raises is lost. Raises `ActionError` when it cannot be asked."""
        if threading.current_thread() is threading.main_thread():
            function()
            return

        def called(_: object) -> int:
            self._waiting.remove(callback)
            with suppress(Exception):  # the application's own code goes on after it
                function()
            return 0

        callback = _PENDING(called)
        self._waiting.append(callback)  # it must live until it is called
        if ctypes.pythonapi.Py_AddPendingCall(callback, None):
            self._waiting.remove(callback)
            raise ActionError("the main thread has too much waiting to be called")


class _Torch:
    """torch's count, held and put back by the main thread."""

    def __init__(self, main: MainThread) -> None:
        self._main = main
        self._before: int | None = None
        self._ours = 0

    def hold(self, count: int) -> None:
        self._main.call(lambda: self._set(count))

    def release(self) -> None:
        self._main.call(self._put_back)

    def _set(self, count: int) -> None:
        torch = loaded("torch")
        if torch is None:
            return
        now = torch.get_num_threads()
        if now > count:
            torch.set_num_threads(count)
            if self._before is None:
                self._before = now
            self._ours = count

    def _put_back(self) -> None:
        torch, before = loaded("torch"), self._before
        self._before = None
        if torch is not None and before is not None and torch.get_num_threads() == self._ours:
            torch.set_num_threads(before)


class _Pools:
    """Counts of the pools that threadpoolctl knows; those of OpenMP are a thread's own."""

    def __init__(self) -> None:
        self._held: list[tuple[Any, int, int]] = []
        """A pool, its count before and ours."""

    def hold(self, count: int) -> None:
        known = {id(pool) for pool, _, _ in self._held}
        refused = []
        for pool in _pools():
            before = pool.num_threads
            if before is not None and before > count and id(pool) not in known:
                refused.append(_set(pool, count))
                self._held.append((pool, before, pool.num_threads))
        _tell(refused)

    def release(self) -> None:
        held, self._held = self._held, []
        refused = []
        for pool, before, ours in held:
            why = _set(pool, before) if pool.num_threads == ours else ""
            if why:
                self._held.append((pool, before, ours))
            refused.append(why)
        _tell(refused)


def _set(pool: Any, count: int) -> str:
    """Set a pool's count and read it back; why it is not so, else empty."""
    try:
        pool.set_num_threads(count)
    except Exception as error:  # noqa: BLE001 - a library of the application
        return f"a {pool.user_api} pool refuses {count} threads: {error}"
    now = pool.num_threads
    return "" if now == count else f"a {pool.user_api} pool has {now} threads after {count}"


def _tell(refused: Iterable[str]) -> None:
    """Raise `ActionError` with what was refused, if anything was."""
    said = [one for one in refused if one]
    if said:
        raise ActionError("; ".join(said))


def _pools() -> list[Any]:
    """Pools whose count is the process's; none where threadpoolctl is not installed."""
    try:
        threadpoolctl = importlib.import_module("threadpoolctl")
    except ImportError:
        return []
    controllers = threadpoolctl.ThreadpoolController().lib_controllers
    return [one for one in controllers if one.user_api != "openmp"]


class _Counts:
    """The process's counts: the least that anybody asks for, until nobody does."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: dict[int, int] = {}
        self._unfinished = False
        """Something could not be brought about: it is to be tried again."""
        self._parts: tuple[_Torch | _Pools, ...] = (_Torch(MainThread()), _Pools())

    def hold(self, who: object, count: int) -> None:
        """Let there be no more threads than this. Raises `ActionError`."""
        with self._lock:
            self._asked[id(who)] = count
            self._bring()

    def release(self, who: object) -> None:
        """One asks for nothing any more. Raises `ActionError`."""
        with self._lock:
            if self._asked.pop(id(who), None) is not None or self._unfinished:
                self._bring()

    def _bring(self) -> None:
        self._unfinished = True
        refused = []
        for part in self._parts:
            try:
                part.release()
                if self._asked:
                    part.hold(min(self._asked.values()))
            except ActionError as error:
                refused.append(str(error))
        _tell(refused)
        self._unfinished = False


_counts = _Counts()


class ThreadCount(Actuator):
    """Have torch and BLAS compute with no more threads than the limit has cores.

    `cores` is what 100 % of the limit are, `percent` the limit.
    """

    name = "thread_count"
    resource = "cpu"
    level = Level.ELEVATED
    cost = 0.1
    latency = 1.0
    can_hold = False

    def __init__(self, cores: Callable[[], float], percent: float) -> None:
        self._cores = cores
        self._percent = percent
        self._applied = False

    def available(self) -> str | None:
        """Return why it cannot be used now; looks at nothing but what is loaded."""
        if self._applied:
            return "is applied already; it is undone once the level is normal"
        if not any(loaded(name) for name in _LIBRARIES):
            return f"none of {', '.join(_LIBRARIES)} is loaded"
        return None

    def apply(self, need: float) -> None:  # noqa: ARG002 - the limit says how many threads fit
        """Lower the counts that are higher. Raises `ActionError`."""
        cores = self._cores()
        if math.isnan(cores):
            raise ActionError("how many cores the limit is a share of is not known")
        count = threads_of(cores, self._percent)
        self._applied = True  # also when it fails in part: what was lowered is to be undone
        _counts.hold(self, count)
        self.detail = f"{count} threads of {cores:g} cores"

    def undo(self) -> None:
        """Put back the counts that are still ours. Raises `ActionError`."""
        if self._applied:
            _counts.release(self)
            self._applied = False


class GrantedThreads:
    """As many threads as a CPU grant of sharing keeps busy, while there is one."""

    def __init__(self, cores: Callable[[], float]) -> None:
        self._cores = cores

    def follow(self, granted: Mapping[str, float]) -> None:
        """Hold what is granted of `cpu`, nothing without; not for the tick.

        Raises `ActionError`.
        """
        percent, cores = granted.get("cpu", math.nan), self._cores()
        if math.isnan(percent * cores):
            _counts.release(self)
        else:
            _counts.hold(self, threads_of(cores, percent))
