"""The page on simulation: its examples run as they stand there, and it names every plant."""

from __future__ import annotations

import re
from typing import Any

from amptalk.simulation import SimulationResult, plants
from tests.helpers import ROOT

PAGE = (ROOT / "docs" / "simulation.md").read_text(encoding="utf-8")


def test_the_examples_run_as_written() -> None:
    names: dict[str, Any] = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        exec(compile(block, "docs/simulation.md", "exec"), names)
    assert isinstance(names["result"], SimulationResult)


def test_every_plant_and_every_figure_is_on_the_page() -> None:
    for name in plants.__all__:
        assert f"`{name}" in PAGE or f"`{name}(" in PAGE or f'`{name}("' in PAGE, name
    figures = [name for name, kind in vars(SimulationResult).items() if isinstance(kind, property)]
    for name in figures:
        if name != "seconds":
            assert f"`{name}`" in PAGE, name
