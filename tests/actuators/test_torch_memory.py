"""Memory of torch's allocator: given back and capped, without ever starting CUDA."""

from __future__ import annotations

import math
import sys

import pytest

from amptalk.actuators.actuation import Actuation
from amptalk.actuators.torch_memory import PAUSE, TorchCache, TorchFraction
from amptalk.clock import VirtualClock
from amptalk.model.action import ActionReport, Verdict
from amptalk.model.errors import ActionError
from amptalk.model.level import Level
from amptalk.model.resource import GPU_MEMORY
from tests.actuators.doubled_torch import MB, Torch, torch
from tests.actuators.support import decision, sample, state
from tests.helpers import eventually, output_of

__all__ = ["torch"]


def test_without_cuda_in_use_nothing_is_asked_of_torch(
    torch: Torch, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.cuda.started = False
    for step in (TorchCache(VirtualClock()), TorchFraction(1000.0, lambda: 0.0)):
        assert "has not started CUDA" in (step.available() or "")
        with pytest.raises(ActionError):
            step.apply(1.0)
    monkeypatch.delitem(sys.modules, "torch")
    assert "torch is not loaded" in (TorchCache(VirtualClock()).available() or "")


def test_torch_is_never_imported() -> None:
    said = output_of(
        "import sys\n"
        "from amptalk import create_resource_manager\n"
        "manager = create_resource_manager(max_gpu_memory_mb=1, max_cpu_percent=50)\n"
        "for step in manager._actuation.ladder._actuators:\n"
        "    step.available()\n"
        "print('torch' in sys.modules, 'threadpoolctl' in sys.modules)\n"
    )
    assert said.strip() == "False False"


def test_the_cache_is_released_measured_and_not_too_often(torch: Torch) -> None:
    clock = VirtualClock()
    step = TorchCache(clock)
    assert step.available() is None
    step.apply(500.0)
    assert step.measured == (1000.0, 600.0)
    assert f"in {PAUSE:.0f} s" in (step.available() or "")
    clock.advance(PAUSE)
    assert step.available() is None


def test_it_is_judged_by_what_the_allocator_held(torch: Torch) -> None:
    clock = VirtualClock()
    actuation = Actuation(clock, "degrade", ((GPU_MEMORY, 4000.0),))
    try:
        reports: list[ActionReport] = []
        for _ in range(2):
            now = clock.advance(1.0)
            limits = (state(3100.0, Level.ELEVATED, resource=GPU_MEMORY, limit=4000.0),)
            reports += actuation.carry_out(
                sample(
                    now,
                ),
                limits,
                decision(),
            )
            eventually(lambda: not actuation.runner.threads.active, "it came back")
    finally:
        actuation.release()
    assert [(one.action, one.freed, one.verdict) for one in reports] == [
        ("torch_cache", 400.0, Verdict.WORKED)
    ]


def test_the_allocator_may_grow_to_the_limit_and_no_further(torch: Torch) -> None:
    step = TorchFraction(4000.0, lambda: 3500.0)
    step.apply(100.0)
    assert torch.cuda.fraction == pytest.approx((1000 + 500) / 8000)
    assert step.detail == "1500 MB of 8000 for torch"
    assert "undone" in (step.available() or "")
    step.undo()
    assert torch.cuda.fraction == 1.0
    assert step.available() is None


def test_it_is_never_below_what_is_held(torch: Torch) -> None:
    TorchFraction(4000.0, lambda: 4500.0).apply(100.0)
    assert torch.cuda.fraction == pytest.approx(1000 / 8000)


def test_what_the_application_set_since_is_left(torch: Torch) -> None:
    step = TorchFraction(4000.0, lambda: 3500.0)
    step.apply(100.0)
    torch.cuda.fraction = 0.5
    step.undo()
    assert torch.cuda.fraction == 0.5


@pytest.mark.parametrize(
    ("reserved", "used", "said"),
    [
        ({0: MB, 1: MB}, 1.0, "on 2 GPUs"),
        ({}, 1.0, "on 0 GPUs"),
        ({0: MB}, math.nan, "is not measured"),
    ],
)
def test_what_cannot_be_told_is_denied(
    torch: Torch, reserved: dict[int, int], used: float, said: str
) -> None:
    torch.cuda.reserved = reserved
    with pytest.raises(ActionError, match=said):
        TorchFraction(4000.0, lambda: used).apply(1.0)
    assert torch.cuda.fraction == 1.0


def test_a_fraction_that_is_not_kept_is_denied(torch: Torch) -> None:
    torch.cuda.keeps = False
    step = TorchFraction(4000.0, lambda: 3500.0)
    with pytest.raises(ActionError, match="not kept"):
        step.apply(1.0)
    assert step.available() is None


def test_the_fraction_is_for_enforcing_alone() -> None:
    limits = ((GPU_MEMORY, 4000.0),)
    names = {
        handling: [
            one.name for one in Actuation(VirtualClock(), handling, limits).ladder._actuators
        ]
        for handling in ("degrade", "enforce")
    }
    assert names == {"degrade": ["torch_cache"], "enforce": ["torch_cache", "torch_fraction"]}
