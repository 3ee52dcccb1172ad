"""Runs every code block of docs/specification.md, each in a process of its own.

Used by `test_specification.py`, and by itself where only the wheel is installed:

    python tests/specification.py --module amptalk --cwd /some/empty/folder

A block gets the names that earlier blocks define (`PRELUDE`), the long duration is
shortened, and `pip install` is left out. Standard library only.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
SPECIFIED_MODULE = "src.core.resource_management"
PRELUDE = f"""\
from {SPECIFIED_MODULE} import ResourceLimits, ResourceManager, create_resource_manager
manager = create_resource_manager()
"""


class Block(NamedTuple):
    """One fenced block, with the heading above it."""

    title: str
    language: str
    text: str


def blocks() -> list[Block]:
    """Every block of the specification that can be run."""
    found: list[Block] = []
    title = ""
    text = (ROOT / "docs" / "specification.md").read_text(encoding="utf-8")
    for match in re.finditer(r"^#+ (?P<title>[^\n]*)$|^```(?P<lang>\w+)\n(?P<body>.*?)^```", text,
                             re.MULTILINE | re.DOTALL):  # fmt: skip
        if match["title"]:
            title = match["title"]
        elif not match["body"].startswith("pip install"):
            found.append(Block(title, match["lang"], match["body"]))
    return found


def commands(block: Block) -> list[list[str]]:
    """The shell commands of a bash block, shortened to three seconds each."""
    joined = block.text.replace("\\\n", " ")
    lines = [line.split() for line in joined.splitlines() if line.strip() and line[0] != "#"]
    shortened = [[word if word != "300" else "3" for word in words] for words in lines]
    return [words if "--duration" in words else [*words, "--duration", "3"] for words in shortened]


def run_python_block(
    block: Block, python: str, cwd: Path, module: str, path: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one python block with `python` in `cwd`."""
    code = (PRELUDE + block.text).replace(SPECIFIED_MODULE, module)
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(cwd)}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    return subprocess.run(
        [python, "-W", "error", "-c", code],
        cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def main() -> int:
    """Run the python blocks against an installed package; 1 when one fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--module", default=SPECIFIED_MODULE)
    parser.add_argument("--cwd", type=Path, default=ROOT)
    options = parser.parse_args()
    failed = 0
    for block in blocks():
        if block.language != "python":
            continue
        result = run_python_block(block, sys.executable, options.cwd, options.module)
        if result.returncode or "Traceback" in result.stderr:
            failed += 1
            sys.stderr.write(f"{block.title}: exit {result.returncode}\n{result.stderr}\n")
        else:
            sys.stdout.write(f"ok  {block.title}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
