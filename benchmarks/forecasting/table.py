"""Tables in Markdown, and how figures are written."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; the first column is text, the others are figures."""
    lines = [header, ["---"] + ["--:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def figure(value: float, digits: int = 2) -> str:
    """Rounded; large ones without digits; `–` where there is none."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞"
    if abs(value) >= 1e5:
        return f"{value:.0e}"
    return f"{value:.{0 if abs(value) >= 1000 else digits}f}"


def percent(share: float, digits: int = 1) -> str:
    """A share as a percentage, without the sign."""
    return figure(100.0 * share, digits)
