"""The report of one run, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np

from benchmarks.forecasting import targets
from benchmarks.forecasting.alarms import AlarmScore, pooled
from benchmarks.forecasting.ours import Coverage
from benchmarks.forecasting.probability import EDGES
from benchmarks.forecasting.protocol import PERCENTILES
from benchmarks.forecasting.replay import FIXED_THRESHOLDS, OURS, OURS_BY_RESIDUALS
from benchmarks.forecasting.summary import CLASSES, Run, brier_skill, calibration, ratio, warning
from benchmarks.forecasting.table import figure, markdown, percent


def whole(run: Run) -> str:
    """Every section."""
    sections = (
        ("Targets", _targets(run)),
        ("Error, as a ratio to the last value's", _errors(run)),
        ("Error with days of history, traces in full", _in_full(run)),
        ("Warning of a breach", _warnings(run)),
        ("Ours with the same threshold on every trace, p95", _fixed(run)),
        ("Ours: said and happened, p95", _calibration(run)),
        ("Ours, trace by trace", _by_trace(run)),
        ("Time to the limit, from half the way on", _reaches(run)),
        ("Cost", _costs(run)),
    )
    return "\n\n".join(f"## {title}\n\n{text}" for title, text in sections if text)


def _targets(run: Run) -> str:
    rows = [targets.row(target) for target in targets.targets(run)]
    return markdown(("", "target", "measured", "met"), rows)


def _errors(run: Run) -> str:
    header = ["method"]
    for name in CLASSES:
        header += [f"{name} ({len(run.of_class(name))})", "h=1", "h=12", "worst"]
    rows = [
        [method]
        + [
            figure(value, 3)
            for name in CLASSES
            for value in ratio(run.of_class(name), method)
        ]
        for method in _methods(run)
    ]  # fmt: skip
    return (
        f"{markdown(header, rows)}\n\nMedians over the traces of each class of the mean over the "
        "12 horizons, of the first and of the last; worst: the trace with the highest mean. "
        "AutoETS is refitted at 25 moments only."
    )


def _in_full(run: Run) -> str:
    if not run.in_full:
        return ""
    names = sorted(run.in_full)
    rows = []
    for method in run.in_full[names[0]]:
        means = [float(run.in_full[name][method].mean()) for name in names]
        rows.append([method, *[figure(value, 3) for value in (sum(means) / len(means), *means)]])
    return markdown(["method", "mean", *names], rows)


def _warnings(run: Run) -> str:
    parts = [_of_limit(run, percentile) for percentile in PERCENTILES]
    parts.append(
        f"AP, and the first recall and precision: medians over the traces with events; the others: "
        f"all traces as one. Threshold of each method and trace: best F1 in the warm-up. "
        f"“{OURS}” is our own `breach_probability`; “{OURS_BY_RESIDUALS}” puts our forecasts "
        "through the wrapper that serves the peers. Brier skill: median over the traces with "
        "events, against the warm-up's share of positive samples."
    )
    return "\n\n".join(parts)


def _of_limit(run: Run, percentile: int) -> str:
    header = (
        f"limit p{percentile}", "AP", "recall", "precision",
        "pooled recall", "pooled precision", "lead", "false per 1000",
        *[f"Brier skill {name}" for name in CLASSES],
    )  # fmt: skip
    rows = []
    for method in _in_order(result.warned[percentile] for result in run.results):
        found = warning(run.results, percentile, method)
        skills = [brier_skill(run.of_class(name), percentile, method) for name in CLASSES]
        medians = (found.average_precision, found.recall, found.precision)
        rows.append(
            [method, *map(figure, medians), *_alarm_cells(found.pooled), *map(figure, skills)]
        )
    events = warning(run.results, percentile, OURS).pooled.events
    some = sum(result.warned[percentile][OURS].alarms.events > 0 for result in run.results)
    return f"{events} events on {some} traces.\n\n{markdown(header, rows)}"


def _alarm_cells(score: AlarmScore) -> list[str]:
    figures = (score.recall, score.precision, score.lead, score.false_per_1000)
    return [figure(value) for value in figures]


def _fixed(run: Run) -> str:
    rows = [
        [f"{threshold:g}", *_alarm_cells(pooled(each.fixed[95][threshold] for each in run.results))]
        for threshold in FIXED_THRESHOLDS
    ]
    return markdown(("threshold", "pooled recall", "pooled precision", "lead", "false per 1000"),
                    rows)  # fmt: skip


def _calibration(run: Run) -> str:
    header = ["probability"]
    for name in CLASSES:
        header += [f"samples, {name}", "said %", "happened %"]
    rows = [[f"{low:g}–{high:g}"] for low, high in pairwise(EDGES)]
    for name in CLASSES:
        bins = calibration(run.of_class(name), 95, OURS).tolist()
        for cells, (samples, said, happened) in zip(rows, bins, strict=True):
            shares = [percent(part / samples) if samples else "–" for part in (said, happened)]
            cells += [f"{samples:.0f}", *shares]
    return markdown(header, rows)


def _by_trace(run: Run) -> str:
    header = (
        "trace", "samples", "seconds", "error", "h=1", "h=12", "AP p95", "events",
        "interval h=1", "h=2–12", "after a shift h=1", "h=2–12",
    )  # fmt: skip
    rows = []
    for each in run.results:
        ours, warned = each.ratios[OURS], each.warned[95][OURS]
        rows.append(
            [
                each.trace + (" (generated)" if each.generated else ""),
                str(each.samples),
                f"{each.step:g}",
                *[figure(float(value), 3) for value in (ours.mean(), ours[0], ours[-1])],
                figure(warned.probability.average_precision),
                str(warned.alarms.events),
                *_shares(each.coverage),
                *_shares(each.shifted_coverage),
            ]
        )
    return markdown(header, rows)


def _shares(coverage: Coverage) -> list[str]:
    first, *others = coverage.shares.tolist()
    return [percent(first), f"{percent(min(others))}–{percent(max(others))}"]


def _reaches(run: Run) -> str:
    header = ("course", "moments", "within 20 %", "median error %", "90 % below", "in the range %")
    rows = [
        (
            each.course + ("" if each.aimed else " (no target)"),
            str(each.moments),
            percent(each.within),
            percent(each.median_error),
            percent(each.high_error),
            percent(each.in_range),
        )
        for each in run.reaches
    ]
    return markdown(header, rows)


def _costs(run: Run) -> str:
    footprint = run.footprint
    rows = [
        (name, figure(cost.microseconds, 1), figure(cost.ratio))
        for name, cost in footprint.costs.items()
    ]
    refits = [each.refit_microseconds for each in run.results]
    known = [value for value in refits if value == value]  # noqa: PLR0124 - nan is left out
    if known:
        middle = float(np.median(known))
        rows.append(("AutoETS, one fit", figure(middle, 1), figure(middle / footprint.loop)))
    table = markdown(("a sample and its 12 forecasts", "µs", "÷ reference loop"), rows)
    return (
        f"{table}\n\nProcessor time of the cheapest batch, and the median of the ratios to a fixed "
        f"loop of plain Python (here {footprint.loop:.1f} µs at best) run in the same round."
    )


def _methods(run: Run) -> list[str]:
    return _in_order(result.ratios for result in run.results)


def _in_order(groups: Iterable[Iterable[str]]) -> list[str]:
    def each() -> Iterator[str]:
        for group in groups:
            yield from group

    return list(dict.fromkeys(each()))
