"""What one run is to do: checked settings and the command. Nothing is started here."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from math import isnan
from typing import NamedTuple

from amptalk.limits.limits import RESOURCES, checked_limit
from amptalk.model.errors import ConfigurationError
from amptalk.model.resource import CPU, Resource
from amptalk.run.settings import Given, Limit, merged

ENERGY = Resource("energy", "J", "hold", "energy", device_wide=True)
WALL_TIME = Resource("wall_time", "s", "hold", "wall_time", device_wide=True)
BUDGETS = {"energy": ENERGY, "wall_time": WALL_TIME}
"""What is used up over a run: judged by the runner, not by sample."""
_LARGEST = {resource.name: (resource, largest) for resource, largest in RESOURCES.values()}


class RunOptions(NamedTuple):
    """Everything a run is asked for."""

    commands: tuple[tuple[str, ...], ...]
    """The command; several, largest first, are variants of which one is to run."""
    limits: Mapping[str, Limit]
    """By resource, as they were given."""
    strategy: str = "dynamic"
    on_breach: str = "warn"
    pace: bool = False
    ask_signal: int | None = None
    metrics: str | None = None
    record: str | None = None
    interval: float = 1.0
    json: bool = False
    quiet: bool = False
    protect: tuple[str, ...] = ()
    """Names of processes that must live."""

    def budgets(self) -> dict[str, float]:
        """Seconds and joules that may be used up."""
        return {name: self.limits[name].amount.value for name in BUDGETS if name in self.limits}

    def resources(self, cores: float) -> list[tuple[Resource, float]]:
        """What is measured and limited, and the limit in its unit; `cores` can be used at most.

        Raises `ConfigurationError` for more cores than there are.
        """
        found = []
        for resource, largest in RESOURCES.values():
            limit = self.limits.get(resource.name)
            if limit is None:
                continue
            value = limit.amount.value
            if resource is CPU:
                value = _percent(limit, cores)
            found.append((resource, checked_limit(limit.written, value, largest, resource.unit)))
        return found


def _percent(limit: Limit, cores: float) -> float:
    value, unit = limit.amount
    if unit == "%":
        return value
    if isnan(cores):
        raise ConfigurationError(f"{limit.written}: how many cores there are is not known: give %")
    if value > cores:
        raise ConfigurationError(
            f"{limit.written}: only {cores:g} can be used here; give {cores:g} or less"
        )
    return 100.0 * value / cores


def options_of(
    commands: Sequence[Sequence[str]], sources: Sequence[list[Given]], *, variants: bool = False
) -> RunOptions:
    """Check what was given as a whole. Raises `ConfigurationError` in one line."""
    limits, others = merged(sources)
    if not commands or not all(commands):
        raise ConfigurationError("there is no command: amptalk run [limits] -- COMMAND ARGUMENTS")
    for name, limit in limits.items():
        resource, largest = _LARGEST.get(name, (None, 0.0))
        if resource is not None and limit.amount.unit != "cores":
            checked_limit(limit.written, limit.amount.value, largest, resource.unit)
    pace, on_breach = bool(others.get("pace")), others.get("on_breach", "warn")
    if pace and "cpu" not in limits:
        raise ConfigurationError("--pace holds a limit of CPU, and none is given: add --cpus")
    if variants and on_breach != "warn":
        raise ConfigurationError(
            f"--try and --on-breach {on_breach} contradict each other: a variant that does not fit "
            "makes room for the next one"
        )
    if bool(others.get("json")) and bool(others.get("quiet")):
        raise ConfigurationError("--json and --quiet contradict each other: give one of them")
    strategy = others.get("strategy", "dynamic")
    _check_strategy(strategy)
    return RunOptions(
        tuple(tuple(command) for command in commands), limits, strategy, on_breach, pace,
        _signal(others.get("ask_signal")), others.get("metrics"), others.get("record"),
        _interval(others.get("interval")), bool(others.get("json")), bool(others.get("quiet")),
        _names(others.get("protect", "")),
    )  # fmt: skip


def _names(text: str) -> tuple[str, ...]:
    names = tuple([name.strip() for name in text.split(",")]) if text else ()
    if not all(names):
        raise ConfigurationError(
            f"--protect {text}: a name is empty; give names such as sshd,nginx"
        )
    return names


def _check_strategy(strategy: str) -> None:
    if strategy != "dynamic":
        from amptalk.strategies.names import strategy_names

        strategy_names(strategy)


def _interval(text: str | None) -> float:
    if text is None:
        return 1.0
    from amptalk.config import FASTEST_INTERVAL, SLOWEST_INTERVAL

    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not FASTEST_INTERVAL <= seconds <= SLOWEST_INTERVAL:
        raise ConfigurationError(
            f"--interval {text}: allowed are {FASTEST_INTERVAL:g} to {SLOWEST_INTERVAL:g} seconds"
        )
    return seconds


def _signal(text: str | None) -> int | None:
    if text is None:
        return None
    name = text.upper()
    named = getattr(signal, name if name.startswith("SIG") else f"SIG{name}", None)
    number = int(text) if text.isdigit() else named
    if not isinstance(number, int) or number not in signal.valid_signals():
        raise ConfigurationError(f"--ask-signal {text}: no such signal; give one such as USR1")
    if number in {signal.SIGKILL, signal.SIGSTOP}:
        raise ConfigurationError(f"--ask-signal {text}: a program cannot listen to it; give USR1")
    return int(number)
