"""The targets, each with what was measured for it, by strategy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from controlling.running import COMBINED, Figures, Table
from controlling.telling import TRIFLE, costs_more, means, pair, regret, rows, seconds, worse_than

_PER_PLANT = {
    "thermal": (0.05, 0.5), "GPU power": (6.0, 3.0), "memory": (0.2, 0.5),
    "bursty CPU": (1.5, 3.0), "queue": (0.2, 0.5),
}  # fmt: skip
"""Time over / work lost; a target of 0 is met by what rounds to it."""
_THERMAL_LIMIT = 80.0
_LONGEST_DECISION = 50.0


class Measured(NamedTuple):
    """Everything that was run."""

    baseline: Table
    harder: Table
    announced: Table
    varied: Table
    cost: dict[str, float]


class _Row(NamedTuple):
    text: str
    answer: Callable[[str], tuple[str, bool]]
    """What a strategy reached, and whether that is enough."""


def targets_table(measured: Measured, strategies: Sequence[str]) -> str:
    """A row a target; what is missed stands in bold."""
    lines = [["target", *strategies]]
    for row in _rows(measured):
        cells = []
        for name in strategies:
            text, met = row.answer(name)
            cells.append(text if met else f"**{text}**")
        lines.append([row.text, *cells])
    return rows(lines)


def _rows(measured: Measured) -> list[_Row]:
    baseline, varied = measured.baseline, measured.varied
    found = [_Row("mean of the five: 1.5 / 1.0", lambda name: _pair(baseline, name, 1.5, 1.0))]
    for plant, (over, lost) in _PER_PLANT.items():
        one = {plant: baseline[plant]}
        text = f"{plant}: {0 if over < 0.1 else over:g} / {lost:g}"
        found.append(_Row(text, _bound(_pair, one, over, lost)))
    found += [
        _Row("memory settles within 15 s", _bound(_settled, baseline, "memory")),
        _Row("queue settles within 15 s", _bound(_settled, baseline, "queue")),
        _Row("thermal overshoot 0.5 °C", lambda name: _thermal(baseline, name)),
        _Row("0.8 changes a minute", lambda name: _travel(baseline, name)),
        _Row("varied: 2.5 / 2.0", lambda name: _pair(varied, name, 2.5, 2.0)),
        _Row("varied: never over for longer than AIMD", _bound(_longer, varied)),
    ]
    for plant, outcomes in measured.announced.items():
        one = {plant: outcomes}
        found.append(_Row(f"{plant}: 1 % over, peak 10 %", _bound(_told, one, plant)))
    everything = {**baseline, **measured.harder, **measured.announced, **varied}
    found += [
        _Row("no run over for longer than with no control", _bound(_harm, everything)),
        _Row("no oscillation that grows", _bound(_growing, everything)),
        _Row(
            "combining costs 10 % more at most",
            _bound(_combining, {**baseline, **measured.harder, **measured.announced}),
        ),
        _Row("50 µs a decision", lambda name: _decision(measured.cost, name)),
    ]
    return found


def _bound(
    function: Callable[..., tuple[str, bool]], *given: object
) -> Callable[[str], tuple[str, bool]]:
    def answer(name: str) -> tuple[str, bool]:
        return function(given[0], name, *given[1:])

    return answer


def _pair(table: Table, name: str, over: float, lost: float) -> tuple[str, bool]:
    if not all(name in outcomes for outcomes in table.values()):
        return "not run", True
    measured = means(outcomes[name] for outcomes in table.values())
    return f"{measured[0]:.1f} / {measured[1]:.1f}", measured[0] <= over and measured[1] <= lost


def _settled(table: Table, name: str, plant: str) -> tuple[str, bool]:
    settling = table[plant][name].median.settling
    return f"{seconds(settling)} s", settling <= 15.0


def _thermal(table: Table, name: str) -> tuple[str, bool]:
    peak = max(run.peak for run in table["thermal"][name].runs) / 100.0 * _THERMAL_LIMIT
    return f"{peak:.1f} °C", peak <= 0.5


def _travel(table: Table, name: str) -> tuple[str, bool]:
    travel = max(outcomes[name].median.travel for outcomes in table.values())
    return f"{travel:.2f}", travel <= 0.8


def _longer(table: Table, name: str) -> tuple[str, bool]:
    if not all(name in outcomes for outcomes in table.values()):
        return "not run", True
    worse = worse_than(table, name, "AIMD")
    return f"{len(worse)} of {len(table)}", not worse


def _told(table: Table, name: str, plant: str) -> tuple[str, bool]:
    figures: Figures = table[plant][name].median
    met = figures.over <= 1.0 and figures.peak <= 10.0
    return f"{pair(figures)}, peak {figures.peak:.0f}", met


def _harm(table: Table, name: str) -> tuple[str, bool]:
    runs = worse = 0
    for outcomes in table.values():
        if name in outcomes:
            for ours, none in zip(outcomes[name].runs, outcomes["none"].runs, strict=True):
                runs += 1
                worse += ours.over > none.over + TRIFLE
    return f"{worse} of {runs}", not worse


def _growing(table: Table, name: str) -> tuple[str, bool]:
    growing = sum(outcomes[name].growing for outcomes in table.values() if name in outcomes)
    return f"{growing}", not growing


def _combining(table: Table, name: str) -> tuple[str, bool]:
    if name not in COMBINED:
        return "–", True
    more = sum(costs_more(*regret(outcomes, name)[:2]) for outcomes in table.values())
    return f"{more} of {len(table)} plants more", not more


def _decision(cost: dict[str, float], name: str) -> tuple[str, bool]:
    return f"{cost[name]:.0f} µs", cost[name] <= _LONGEST_DECISION
