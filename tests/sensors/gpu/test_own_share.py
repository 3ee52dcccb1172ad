"""The application's share by torch's allocator, where the driver does not tell it."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from amptalk.sensors.gpu.own import estimate_share
from amptalk.sensors.gpu.reading import MB, Findings, Identity
from tests.sensors.gpu.cards import amd, put_all
from tests.sensors.trees import PID, Tree, opened, tree

__all__ = ["tree"]
OURS = Identity("Card", "GPU-0A1b", "0000:65:00.0")
OWN = (os.getpid(),)


class Cuda:
    """`torch.cuda` of an application with one device."""

    def __init__(self, *devices: Any, started: bool = True) -> None:
        self._devices = devices
        self._started = started

    def is_initialized(self) -> bool:
        return self._started

    def device_count(self) -> int:
        assert self._started, "this would start CUDA"
        return len(self._devices)

    def get_device_properties(self, index: int) -> Any:
        return self._devices[index]

    def memory_reserved(self, index: int) -> int:
        return int((index + 1) * 100 * MB)


def estimated(
    monkeypatch: pytest.MonkeyPatch,
    cuda: object,
    pids: tuple[int, ...] = OWN,
    *,
    only: bool = False,
) -> float | None:
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    findings = Findings()
    findings.lack("application_mb", "the driver does not tell")
    estimate_share(findings, OURS, pids, only=only)
    if "application_mb" in findings.values:
        assert findings.origins["application_mb"].method == "estimated"
        assert "without its CUDA context" in findings.origins["application_mb"].source
    return findings.values.get("application_mb")


other = SimpleNamespace(uuid="ffff")
same = SimpleNamespace(uuid="0a1b")
by_bus = SimpleNamespace(pci_bus_id=0x65, pci_device_id=0, pci_domain_id=0)
nameless = SimpleNamespace()


def test_it_is_that_of_the_same_gpu_by_uuid_or_address(monkeypatch: pytest.MonkeyPatch) -> None:
    assert estimated(monkeypatch, Cuda(other, same)) == 200, "torch numbers its devices its own way"
    assert estimated(monkeypatch, Cuda(by_bus)) == 100
    assert estimated(monkeypatch, Cuda(other), only=True) is None
    assert estimated(monkeypatch, Cuda(nameless)) is None, "which of several it is is not told"
    assert estimated(monkeypatch, Cuda(nameless), only=True) == 100
    assert estimated(monkeypatch, Cuda(nameless, nameless), only=True) is None


def test_it_is_missing_where_torch_is_not_at_work_or_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    assert estimated(monkeypatch, Cuda(same, started=False)) is None
    assert estimated(monkeypatch, None) is None, "while it is being imported"
    assert estimated(monkeypatch, object()) is None
    assert estimated(monkeypatch, Cuda(same), pids=(1,)) is None, "this process is not watched"


def test_what_was_measured_is_never_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=Cuda(same)))
    findings = Findings()
    findings.find("application_mb", "the driver", lambda: 7.0)
    estimate_share(findings, OURS, OWN, only=True)
    assert findings.values["application_mb"] == 7


def in_a_namespace(tree: Tree) -> None:
    folder = tree.root / "proc/self/ns"
    folder.mkdir(parents=True)
    (folder / "pid").symlink_to("pid:[4026532999]")


def test_the_compute_drivers_host_pids_are_not_taken_for_ours(tree: Tree) -> None:
    """4242 is our number here and, by chance, another's on the host."""
    amd(tree)
    node = "sys/class/kfd/kfd/topology/nodes/1"
    put_all(tree, node, {"gpu_id": "51007", "properties": "location_id 768\ndomain 0"})
    for pid in (PID, 99999):
        put_all(tree, f"sys/class/kfd/kfd/proc/{pid}", {"vram_51007": str(int(600 * MB))})
    with opened(tree.suite()) as suite:
        assert suite.read().gpu_memory_mb == 600
    in_a_namespace(tree)
    with opened(tree.suite()) as suite:
        assert "pid namespace" in suite.read().missing["gpu_memory_mb"]
