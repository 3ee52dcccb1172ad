"""What most tests of the guest start from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.vm.guest.chips import Bus
from tests.vm.guest.firmware import Firmware
from tests.vm.guest.groups import Workers
from tests.vm.guest.looking import Look, looking


@pytest.fixture
def firmware() -> Iterator[Firmware]:
    """The firmware's readings, all as they are after its start."""
    made = Firmware()
    yield made
    made.close()


@pytest.fixture
def bus() -> Iterator[Bus]:
    """An I2C bus without chips."""
    made = Bus()
    yield made
    made.close()


@pytest.fixture
def workers() -> Iterator[Workers]:
    """Processes and groups of the test."""
    made = Workers()
    yield made
    made.close()


@pytest.fixture
def look() -> Iterator[Look]:
    """A look at the whole device."""
    with looking() as made:
        yield made
