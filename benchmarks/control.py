#!/usr/bin/env python3
"""How well each strategy holds a limit and keeps the work, on plants in virtual time.

    python benchmarks/control.py [--quick] [--output FILE] [--trace CSV[:COLUMN] ...]

Every strategy and combination of ours against no control, bang-bang, step_wise, fixed PID,
AIMD, Gradient2, Vegas and an oracle that knows the plant but sees it a sample late. Plants,
seeds and what counts are in `controlling.suite` and `controlling.running`; medians over
seeds that nobody tuned on. Figures do not depend on the machine, but for the cost of a
decision: there read the ratios.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from controlling.cost import REFERENCE, microseconds  # noqa: E402
from controlling.rivals import RIVALS  # noqa: E402
from controlling.running import OURS, WARM_UP, Effort, run_all  # noqa: E402
from controlling.suite import (  # noqa: E402
    ANNOUNCED,
    BASELINE,
    FIRST_SEED,
    HARDER,
    STEPS,
    VARIED,
    recorded_cases,
)
from controlling.targets import Measured, targets_table  # noqa: E402
from controlling.telling import (  # noqa: E402
    combining_table,
    main_table,
    plain_table,
    varied_table,
    worse_than,
)

SEEDS, SEEDS_VARIED = 9, 3
VARIED_STRATEGIES = ("none", "AIMD", "dynamic", "predictive", "adaptive")
JUDGED = ("dynamic", "predictive", "adaptive", "predictive+adaptive")
QUICK = 10
"""A quick run takes a tenth of the steps and of the varied plants."""


def main() -> None:
    """Run everything and print the tables."""
    options = _options()
    begun = time.monotonic()
    quick, everyone = options.quick, (*RIVALS, *OURS)
    shorter = QUICK if quick else 1
    effort = Effort(1 if quick else options.seeds, options.workers, shorter)
    varied = Effort(1 if quick else options.seeds_varied, options.workers, shorter)
    measured = Measured(
        baseline=run_all(BASELINE, everyone, effort),
        harder=run_all(HARDER + recorded_cases(options.trace), everyone, effort),
        announced=run_all(ANNOUNCED, everyone, effort),
        varied=run_all(VARIED[::shorter], VARIED_STRATEGIES, varied),
        cost=microseconds(STEPS // shorter, rounds=1 if quick else 5),
    )
    took = time.monotonic() - begun
    text = _text(measured, effort.seeds, varied.seeds, took, quick=quick)
    sys.stdout.write(text)
    if options.output:
        Path(options.output).write_text(text, encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="seconds, to see that it runs: no figures"
    )
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--seeds-varied", type=int, default=SEEDS_VARIED)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--output", metavar="FILE", help="write the tables there, too")
    parser.add_argument(
        "--trace", action="append", default=[], metavar="CSV[:COLUMN]",
        help="a recorded load to run beside, such as watts a second; may be given again",
    )  # fmt: skip
    return parser.parse_args()


def _text(measured: Measured, seeds: int, seeds_varied: int, took: float, *, quick: bool) -> str:
    everyone = (*RIVALS, *OURS)
    what = f"Medians over {seeds} seeds from {FIRST_SEED} on (tuning uses 0-99)"
    lines = [
        "# Control",
        f"Measured on {time.strftime('%Y-%m-%d')} by `python benchmarks/control.py`, "
        f"in {took / 60:.1f} minutes.",
        *(["**A quick run: it shows that everything runs, its figures mean nothing.**"] * quick),
        "Cells are **% of the time over the limit / % of the work lost** against what the plant "
        f"allows. {what}, {STEPS} steps of one second without the first {WARM_UP:.0f} s. Over is "
        "the true level, by more than 0.5 %. Negative work lost is work won over the limit or out "
        "of slack at the start: read both together.",
        "## Targets",
        "What is missed stands in bold.",
        targets_table(measured, JUDGED),
        "## The baseline plants",
        f"Changes of full range a minute are those of the busiest plant; a decision's cost is that "
        f"of `{REFERENCE}` ({measured.cost[REFERENCE]:.1f} µs here) times the figure.",
        main_table(measured.baseline, everyone, measured.cost),
        "## The harder plants",
        "In brackets the worst overshoot in percent of the limit.",
        plain_table(measured.harder, everyone),
        "## Announced work",
        "Jumps are told ten seconds ahead.",
        plain_table(measured.announced, everyone),
        "## One thing changed",
        f"Means over the cases of medians over {seeds_varied} seeds. Parameters are about halved "
        "and doubled, each by itself.",
        varied_table(measured.varied, VARIED_STRATEGIES),
        *(_worse(measured, name) for name in VARIED_STRATEGIES[2:]),
        "## Combining",
        "Time over plus work lost of each combination, its best part in brackets; bold where it "
        "costs over 10 % more.",
        combining_table({**measured.baseline, **measured.harder, **measured.announced}),
    ]
    return "\n\n".join(line.rstrip("\n") for line in lines) + "\n"


def _worse(measured: Measured, name: str) -> str:
    worse = worse_than(measured.varied, name, "AIMD")
    return f"`{name}` is over for longer than AIMD on: {'; '.join(worse) or 'none'}."


if __name__ == "__main__":
    main()
