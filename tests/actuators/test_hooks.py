"""Hooks: the application's own functions, called as they want to be called."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import pytest

from amptalk.actuators.hooks import Hook
from amptalk.model.errors import ConfigurationError
from amptalk.model.level import Level

Seen = list[tuple[object, ...]]


def hook(release: Callable[..., object], *, restore: Callable[[], object] | None = None) -> Hook:
    return Hook("h", release, resource="memory", restore=restore)


@pytest.mark.parametrize(
    ("function", "given"),
    [
        (lambda seen: lambda: seen.append(()), ()),
        (lambda seen: lambda need: seen.append((need,)), (7.0,)),
        (lambda seen: lambda need=1.0: seen.append((need,)), (7.0,)),
        (lambda seen: lambda *rest: seen.append(rest), (7.0,)),
        (lambda seen: lambda generation=2: seen.append((generation,)), (2,)),
        (lambda seen: lambda *, hard=True: seen.append((hard,)), (True,)),
        (lambda seen: functools.partial(lambda a, need: seen.append((need,)), 1), (7.0,)),
    ],
)
def test_the_need_is_passed_to_functions_that_take_it(
    function: Callable[[Seen], Callable[..., object]], given: tuple[object, ...]
) -> None:
    seen: Seen = []
    hook(function(seen)).apply(7.0)
    assert seen == [given]


def test_a_cache_clear_can_be_given_as_it_is() -> None:
    @functools.lru_cache
    def cached(x: int) -> int:
        return x

    cached(1)
    hook(cached.cache_clear).apply(10.0)
    assert cached.cache_info().currsize == 0


def test_with_restore_it_is_a_switch() -> None:
    done: list[str] = []
    switch = hook(lambda: done.append("unload"), restore=lambda: done.append("load"))
    switch.undo()
    assert done == []
    assert switch.available() is None
    switch.apply(1.0)
    assert "restored" in (switch.available() or "")
    switch.undo()
    switch.undo()
    assert done == ["unload", "load"]
    assert switch.available() is None


def test_without_restore_it_may_be_called_again() -> None:
    once = hook(lambda: None)
    once.apply(1.0)
    assert once.available() is None


def test_one_that_raises_counts_as_not_done() -> None:
    restored = []
    switch = hook(lambda: 1 / 0, restore=lambda: restored.append(1))
    with pytest.raises(ZeroDivisionError):
        switch.apply(1.0)
    assert switch.available() is None
    switch.undo()
    assert restored == []


async def _asynchronous() -> None:
    pass


@pytest.mark.parametrize(
    "options",
    [
        {"release": 3},
        {"release": _asynchronous},
        {"restore": "x"},
        {"level": Level.NORMAL},
        {"level": "critical"},
        {"cost": 1.5},
        {"cost": -1},
        {"cost": True},
        {"expected": math.nan},
        {"latency": math.inf},
        {"deadline": "2"},
        {"name": " "},
    ],
)
def test_what_cannot_be_is_refused_and_named(options: dict[str, Any]) -> None:
    given: dict[str, Any] = {"name": "h", "release": lambda: None, "resource": "memory", **options}
    with pytest.raises(ConfigurationError) as error:
        Hook(given.pop("name"), given.pop("release"), **given)
    assert repr(next(iter(options.values()))) in str(error.value)
