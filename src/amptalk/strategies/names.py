"""From what a user writes to a strategy; which names there are.

Strategies are imported when they are asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from amptalk.model.decision import Strategy
from amptalk.model.errors import ConfigurationError

STRATEGIES = ("dynamic", "predictive", "adaptive", "cooperative")
_ALLOWED = (
    f"allowed are {', '.join(STRATEGIES)}, several joined by '+' or in a list, or an object with "
    "a name and a decide method"
)


def make_strategy(spec: str | Sequence[str] | Strategy, interval: float) -> Strategy:
    """Make the strategy named by `spec`, such as "adaptive" or "predictive+cooperative".

    `interval` is the nominal seconds between samples. An object that is a strategy is
    returned as it is. Raises `ConfigurationError` for anything else.

    All control in the same way, as `dynamic` does. Combined, each adds what is its own to one
    control: `predictive` the room for what will be, `adaptive` the guard band and the interval,
    `cooperative` the grants. Two controls of one limit, of which the smaller share wins, would
    take each other's trials for their own.
    """
    if callable(getattr(spec, "decide", None)) and hasattr(spec, "name"):
        return cast(Strategy, spec)
    names = strategy_names(spec)
    strategy = _deciding(names, interval)
    if "cooperative" in names:
        from amptalk.strategies.cooperative import Cooperative

        strategy = Cooperative(strategy, "+".join(names))
    return strategy


def strategy_names(spec: Any) -> list[str]:
    """Names that a text or a list joins. Raises `ConfigurationError` for what is none."""
    if isinstance(spec, str):
        written: list[Any] = spec.split("+")
    elif isinstance(spec, Sequence) and not isinstance(spec, (bytes, bytearray)):
        written = list(spec)
    else:
        raise ConfigurationError(f"strategy={spec!r} is no strategy; {_ALLOWED}")
    names: list[str] = []
    for part in written:
        name = part.strip().lower() if isinstance(part, str) else None
        if name not in STRATEGIES:
            raise ConfigurationError(
                f"strategy={spec!r}: {part!r} is unknown{_hint(name)}; {_ALLOWED}"
            )
        if name in names:
            raise ConfigurationError(f"strategy={spec!r} names {name!r} twice; {_ALLOWED}")
        names.append(name)
    if not names:
        raise ConfigurationError(f"strategy={spec!r} names none; {_ALLOWED}")
    return names


def _hint(name: str | None) -> str:
    if not name:
        return ""
    from difflib import get_close_matches

    close = get_close_matches(name, STRATEGIES, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _deciding(names: Sequence[str], interval: float) -> Strategy:
    # Imported here, as each manager uses one or two of them and start-up counts.
    name = "+".join([name for name in names if name != "cooperative"]) or "dynamic"
    if "predictive" in names:
        from amptalk.strategies.predictive import Predictive

        return Predictive(interval, name, adaptive="adaptive" in names)
    if "adaptive" in names:
        from amptalk.strategies.adaptive import Adaptive

        return Adaptive(interval, name)
    from amptalk.strategies.dynamic import Dynamic

    return Dynamic(name)
