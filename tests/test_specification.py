"""Every code block of the specification runs as written.

From the checkout's root without an installation, and editable-installed from any
directory. The wheel, with `amptalk` for the import, is run by `.ci/run`.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests import specification as spec

PYTHON_BLOCKS = [block for block in spec.blocks() if block.language == "python"]
COMMANDS = [
    command
    for block in spec.blocks()
    if block.language == "bash"
    for command in spec.commands(block)
]
UNINSTALLED = Path(sys.base_prefix) / "bin" / "python3"


def names(blocks: list[spec.Block]) -> list[str]:
    return [block.title.lower().replace(" ", "-") for block in blocks]


def test_the_specification_has_the_blocks_that_are_run_here() -> None:
    assert len(PYTHON_BLOCKS) == 9
    assert len(COMMANDS) == 3


def succeeds(block: spec.Block, python: str, cwd: Path) -> None:
    result = spec.run_python_block(block, python, cwd, spec.SPECIFIED_MODULE)
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("block", PYTHON_BLOCKS, ids=names(PYTHON_BLOCKS))
def test_it_runs_editable_installed_from_any_directory(block: spec.Block, tmp_path: Path) -> None:
    succeeds(block, sys.executable, tmp_path)


@pytest.mark.parametrize(
    "block",
    # OpenTelemetry itself must be installed for its block
    [block for block in PYTHON_BLOCKS if "opentelemetry" not in block.text],
    ids=lambda block: block.title.lower().replace(" ", "-"),
)
def test_it_runs_from_the_checkout_without_any_installation(
    block: spec.Block, tmp_path: Path
) -> None:
    checkout = tmp_path / "checkout"
    shutil.copytree(
        spec.ROOT / "src", checkout / "src", ignore=shutil.ignore_patterns("__pycache__")
    )
    succeeds(block, str(UNINSTALLED), checkout)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_its_commands_run_from_the_checkout(command: list[str], tmp_path: Path) -> None:
    import subprocess

    assert command[0] == "python"
    result = subprocess.run(
        [str(UNINSTALLED), *command[1:], "--output", str(tmp_path / "metrics.json")],
        cwd=spec.ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "metrics.json").is_file()


def test_a_saved_file_of_the_basic_example_can_be_loaded_again(tmp_path: Path) -> None:
    from amptalk import load_metrics

    block = next(block for block in PYTHON_BLOCKS if "save_metrics" in block.text)
    succeeds(block, sys.executable, tmp_path)
    document = load_metrics(tmp_path / "resource_metrics.json")
    first = document.samples["memory_used_mb"][0]
    assert first is not None
    assert first > 0
