"""Which of several GPUs fills the sample, and what happens when they come and go."""

from __future__ import annotations

import threading

import pytest

from amptalk.clock import SystemClock
from amptalk.model.errors import ConfigurationError
from amptalk.sensors.suite import SensorSuite
from tests.helpers import eventually
from tests.sensors.gpu.cards import amd
from tests.sensors.trees import PID, Tree, check_reasons, opened, tree

__all__ = ["tree"]


def test_number_0_counts_unless_another_is_asked_for(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    amd(tree, 1, "0000:c4:00.0", gpu_busy_percent="11")
    amd(tree, 2, "0000:03:00.0", gpu_busy_percent="22", unique_id="abc123")

    def chosen(gpu: str | int | None = None) -> float:
        made = SensorSuite("device", tree.clock, tree.roots, pid=PID, gpu=gpu)
        with opened(made) as suite:
            return suite.read().gpu_utilization

    assert chosen() == 22, "by PCI address, not by the card's number"
    assert chosen(1) == chosen("0000:C4:00.0") == chosen("c4:00.0") == 11
    assert chosen("ABC123") == 22
    monkeypatch.setenv("AMPTALK_GPU", "1")
    assert chosen() == 11
    assert chosen(0) == 22
    for wrong in ("2", "GPU-0"):
        with pytest.raises(ConfigurationError, match=r"0 = AMD GPU \(abc123, 0000:03:00.0\); 1 ="):
            chosen(wrong)
    with pytest.raises(ConfigurationError, match="a number, a UUID or a PCI address"):
        SensorSuite(gpu=True)


def test_asking_for_a_gpu_where_there_is_none_says_so(tree: Tree) -> None:
    with pytest.raises(ConfigurationError, match="there are: none"):
        SensorSuite("device", tree.clock, tree.roots, pid=PID, gpu=0)


def test_a_gpu_that_comes_is_found_and_one_that_goes_is_missing(tree: Tree) -> None:
    with opened(tree.suite()) as suite:
        assert "no GPU" in suite.read().missing["gpu_utilization"]
        amd(tree)
        tree.clock.advance(60)
        suite.read()
        tree.clock.advance(1)
        assert suite.read().gpu_utilization == 37
        (tree.root / "sys/class/drm/card0/device").unlink()
        for _ in range(4):
            tree.clock.advance(60)
            sample = suite.read()
            check_reasons(sample)
        assert "no GPU" in sample.missing["gpu_utilization"]


def test_on_a_real_thread_the_first_answer_is_awaited_only_to_check_a_choice(tree: Tree) -> None:
    amd(tree, unique_id="abc123")

    def made(gpu: str | None) -> SensorSuite:
        return SensorSuite("device", SystemClock(), tree.roots, pid=PID, gpu=gpu, threads=True)

    with opened(made("abc123")) as suite:
        assert suite.read().gpu_utilization == 37
    with pytest.raises(ConfigurationError, match="abc123"):
        made("other")
    with opened(made(None)) as suite:
        eventually(lambda: suite.read().gpu_utilization == 37, "the first answer")
        assert any("37 %" in one.value for one in suite.describe() if one.name == "GPU 0")
    assert "amptalk-slow" not in {one.name for one in threading.enumerate()}
