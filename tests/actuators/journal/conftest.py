"""The made-up kernel and a journal on it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from amptalk.actuators.journal.folder import JournalFolder
from tests.actuators.kernel.machine import machine

__all__ = ["folder", "machine"]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[JournalFolder]:
    """A new folder of a journal."""
    made = JournalFolder(str(tmp_path / "run"), create=True)
    yield made
    made.close()
