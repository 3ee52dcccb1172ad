"""The parts for systems without a Linux /proc, forced here: the same fields by psutil."""

import math
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from amptalk.model.errors import ScopeError
from amptalk.sensors.roots import Roots
from amptalk.sensors.suite import SensorSuite
from tests.sensors.trees import check_reasons

NOWHERE = Roots(proc="/nonexistent")


@pytest.fixture
def suite() -> Iterator[SensorSuite]:
    made = SensorSuite(roots=NOWHERE)
    yield made
    made.close()


def test_it_agrees_with_psutil(suite: SensorSuite) -> None:
    begun = time.monotonic()
    while time.monotonic() - begun < 0.3:  # burn, so that there is something to see
        pass
    sample = suite.read()
    check_reasons(sample)
    memory = psutil.virtual_memory()
    assert sample.device.memory_total_mb == memory.total / 2**20
    assert sample.device.cpu_count == psutil.cpu_count()
    assert 0 <= sample.device.cpu_percent <= 100
    uss = psutil.Process().memory_full_info().uss / 2**20
    assert sample.memory_used_mb == pytest.approx(uss, rel=0.3)
    assert sample.provenance["memory_used_mb"].method == "estimated"
    assert sample.application.cpu_cores > 0.1
    assert suite.capacity.cpu_cores == psutil.cpu_count()
    assert suite.files_read() == ()


def test_what_it_cannot_read_has_a_reason(suite: SensorSuite) -> None:
    sample = suite.read()
    assert "Linux only" in sample.missing["device.pressure_io_percent"]
    assert math.isnan(sample.container.memory_limit_mb)
    assert all(report.value or report.missing for report in suite.describe())


def test_children_are_counted_and_helpers_left_out(suite: SensorSuite) -> None:
    before = suite.read().application.processes
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        suite._medium_at = 0.0
        assert suite.read().application.processes == before + 1
        suite.exclude(child.pid)
        assert suite.read().application.processes == before
    finally:
        child.kill()
        child.communicate()


def test_a_process_that_has_ended_is_a_reason() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    suite = SensorSuite(roots=NOWHERE, pid=child.pid)
    child.kill()
    child.communicate()
    sample = suite.read()
    check_reasons(sample)
    assert "has ended" in sample.missing["memory_used_mb"]


def test_there_is_no_container_scope() -> None:
    with pytest.raises(ScopeError, match="Linux control groups"):
        SensorSuite("container", roots=NOWHERE)
