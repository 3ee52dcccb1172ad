"""Which of several GPUs fills the sample, and what happens when they come and go."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from amptalk import Gpu, create_resource_manager
from amptalk.clock import SystemClock
from amptalk.model.errors import ConfigurationError
from amptalk.sensors.gpu.choice import Choice, choice_of
from amptalk.sensors.portable import NoGpu
from amptalk.sensors.report import Notes
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
    with pytest.raises(ConfigurationError, match="a number from 0, a UUID or a PCI"):
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
        assert "no longer there: AMD GPU (0000:03" in sample.missing["gpu_utilization"]


def test_a_number_means_the_same_gpu_when_others_come(tree: Tree) -> None:
    amd(tree, 1, "0000:c4:00.0", gpu_busy_percent="11")
    with opened(tree.suite("device")) as suite:
        suite.read()
        tree.clock.advance(1)
        assert suite.read().gpu_utilization == 11
        amd(tree, 10, "0000:03:00.0", gpu_busy_percent="22")
        tree.clock.advance(60)
        suite.read()
        tree.clock.advance(1)
        assert suite.read().gpu_utilization == 11, "22 is of the one that came, now number 0"
        assert [(one.number, one.sampled) for one in suite.gpus()] == [(0, False), (1, True)]


def test_the_environment_asks_in_vain_where_there_is_no_gpu_and_stops_nobody(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMPTALK_GPU", "GPU-7")
    with opened(tree.suite()) as suite:
        reason = suite.read().missing["gpu_utilization"]
    assert reason.startswith("no GPU:")
    assert "AMPTALK_GPU='gpu-7' asks for one" in reason
    amd(tree)
    with pytest.raises(ConfigurationError, match=r"AMPTALK_GPU='gpu-7' names no GPU.*0 = AMD GPU"):
        tree.suite()


@pytest.mark.parametrize("wrong", [True, -1, "", " ", 1.5])
def test_what_names_no_gpu_at_all_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="a number from 0, a UUID or a PCI address"):
        choice_of(wrong)


def test_where_gpus_are_not_read_only_the_program_is_refused_one() -> None:
    notes = Notes({})
    NoGpu(notes, Choice("1", "AMPTALK_GPU")).demand(lambda: None)
    with pytest.raises(ConfigurationError, match="is read on Linux only"):
        NoGpu(notes, Choice("1", "gpu=")).demand(lambda: None)


def test_a_manager_is_told_its_gpu_and_lists_all() -> None:
    with pytest.raises(ConfigurationError, match=r"gpu='no-such-gpu' names no GPU here"):
        create_resource_manager(gpu="no-such-gpu")
    manager = create_resource_manager()
    assert manager.config.gpu is None
    assert all(isinstance(one, Gpu) for one in manager.gpus())


def test_on_a_real_thread_the_first_answer_is_awaited_only_to_check_a_choice(tree: Tree) -> None:
    amd(tree, unique_id="abc123")
    before = set(threading.enumerate())  # a manager of another test may not be collected yet

    def made(gpu: str | None) -> SensorSuite:
        return SensorSuite("device", SystemClock(), tree.roots, pid=PID, gpu=gpu, threads=True)

    with opened(made("abc123")) as suite:
        assert suite.read().gpu_utilization == 37
    with pytest.raises(ConfigurationError, match="abc123"):
        made("other")
    with opened(made(None)) as suite:
        eventually(lambda: suite.read().gpu_utilization == 37, "the first answer")
        assert any("37 %" in one.value for one in suite.describe() if one.name == "GPU 0")
    assert not set(threading.enumerate()) - before
