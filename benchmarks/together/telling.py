"""The table and the picture of the three models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

from benchmarks.together.models import SIZES

Found = Mapping[str, Any]
_WIDTH, _ROW, _LEFT, _TOP = 860.0, 120.0, 170.0, 40.0
_COLOURS = ("#888888", "#c0392b", "#d68910", "#1e8449")


def table(found: Sequence[Found]) -> str:
    """One row an arm; means over its trials, peaks and kills of all of them."""
    lines = [
        "| arm | kills | in time: speech | text | vision | p50 / p99 s: speech | text | vision | "
        "answers/s | memory peak MB |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name in dict.fromkeys(str(one["arm"]) for one in found):
        trials = [one for one in found if one["arm"] == name]
        good = [f"{_mean(trials, model, 'goodput'):.0f} %" for model in SIZES]
        waits = [
            f"{_mean(trials, model, 'p50'):.2f} / {_mean(trials, model, 'p99'):.2f}"
            for model in SIZES
        ]
        throughput = sum(one["throughput"] for one in trials) / len(trials)
        lines.append(
            f"| {name} | {sum(one['kills'] for one in trials)} | {' | '.join(good)} | "
            f"{' | '.join(waits)} | {throughput:.2f} | {max(one['peak'] for one in trials):.0f} |"
        )
    return "\n".join(lines)


def picture(found: Sequence[Found], limit_mb: float) -> str:
    """Memory over time, one band an arm, with the limit as a line; SVG."""
    first = {str(one["arm"]): one for one in reversed(found)}
    arms = [first[name] for name in dict.fromkeys(str(one["arm"]) for one in found)]
    seconds = max(one["memory"][-1][0] for one in arms)
    highest = 1.05 * max(limit_mb, *(one["peak"] for one in arms))
    across = (_WIDTH - _LEFT - 20.0) / seconds
    height = _TOP + _ROW * len(arms) + 30.0
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH:.0f}" height="{height:.0f}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{_LEFT}" y="20">memory of three models together, MB; dashed: {limit_mb:.0f} MB'
        "</text>",
    ]
    for place, (one, colour) in enumerate(zip(arms, _COLOURS, strict=False)):
        bottom = _TOP + _ROW * (place + 1) - 10.0
        scale = (_ROW - 20.0) / highest
        points = " ".join(
            f"{_LEFT + at * across:.1f},{bottom - used * scale:.1f}" for at, used in one["memory"]
        )
        line = bottom - limit_mb * scale
        parts += [
            f'<text x="10" y="{bottom - 45:.0f}">{escape(one["arm"])}</text>',
            f'<text x="10" y="{bottom - 28:.0f}" fill="{colour}">{_kills(one["kills"])}</text>',
            f'<line x1="{_LEFT}" y1="{line:.1f}" x2="{_WIDTH - 20}" y2="{line:.1f}" '
            'stroke="black" stroke-dasharray="5 4"/>',
            f'<line x1="{_LEFT}" y1="{bottom}" x2="{_WIDTH - 20}" y2="{bottom}" stroke="#bbb"/>',
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>',
        ]
    parts += [f'<text x="{_WIDTH - 90}" y="{height - 12:.0f}">{seconds:.0f} s</text>', "</svg>"]
    return "\n".join(parts) + "\n"


def _kills(count: int) -> str:
    return f"{count} killed" if count else "none killed"


def _mean(trials: Sequence[Found], model: str, figure: str) -> float:
    return float(sum(one["models"][model][figure] for one in trials) / len(trials))
