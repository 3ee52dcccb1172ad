"""An idle AMD or Intel GPU is left alone, so that it can fall asleep; beside it another works."""

from __future__ import annotations

from amptalk.sensors.suite import SensorSuite
from tests.sensors.gpu.cards import amd, card, descriptor, put_all
from tests.sensors.trees import PID, Tree, opened, tree

__all__ = ["tree"]
APU, CARD = "0000:c4:00.0", "0000:03:00.0"


def laptop(tree: Tree) -> None:
    """A processor's GPU that draws the desktop, and a card that does nothing."""
    for folder in (amd(tree, 0, APU), amd(tree, 1, CARD, gpu_busy_percent="0")):
        tree.put(f"{folder}/power/control", "auto\n")


def ages(suite: SensorSuite, tree: Tree) -> dict[str, float]:
    return {one.pci_address: tree.clock.monotonic() - one.measured_at for one in suite.gpus()}


def test_an_idle_card_is_left_alone_for_30_s_while_the_other_is_read(tree: Tree) -> None:
    laptop(tree)
    with opened(tree.suite()) as suite:
        for _ in range(20):
            tree.clock.advance(1)
            sample = suite.read()
        old = ages(suite, tree)
        assert old[CARD] == 20, "read every 5 s it would never reach its 5 s of autosuspend"
        assert old[APU] < 5
        assert sample.age("device.gpu_utilization") == 20, "and the sample says how old it is"
        for _ in range(20):
            tree.clock.advance(1)
            suite.read()
        assert ages(suite, tree)[CARD] < 15


def test_it_is_read_again_when_the_application_comes_to_use_it(tree: Tree) -> None:
    laptop(tree)
    with opened(tree.suite()) as suite:
        tree.clock.advance(6)
        suite.read()
        descriptor(tree, PID, 7, drm_pdev=CARD, drm_client_id="5", drm_memory_vram="409600 KiB")
        tree.clock.advance(6)
        assert suite.read().gpu_memory_mb == 400


def test_it_is_read_again_when_it_has_slept(tree: Tree) -> None:
    laptop(tree)
    device = f"sys/devices/pci0000:00/{CARD}"
    with opened(tree.suite()) as suite:
        suite.read()
        tree.put(f"{device}/power/runtime_status", "suspended\n")
        tree.clock.advance(6)
        suite.read()
        assert suite.gpus()[0].asleep
        assert suite.gpus()[0].missing["power_watts"].startswith("asleep")
        tree.put(f"{device}/power/runtime_status", "active\n")
        tree.put(f"{device}/gpu_busy_percent", "60\n")
        tree.clock.advance(6)
        assert suite.read().gpu_utilization == 60, "though its pause has not passed"


def test_a_card_that_the_kernel_never_suspends_is_read_every_5_s(tree: Tree) -> None:
    tree.put(f"{amd(tree, gpu_busy_percent='0')}/power/control", "on\n")
    with opened(tree.suite()) as suite:
        for _ in range(12):
            tree.clock.advance(1)
            suite.read()
        assert ages(suite, tree)[CARD] <= 5


def test_an_intel_card_whose_load_is_not_told_is_left_alone_unless_it_is_ours(tree: Tree) -> None:
    device = card(tree, 0, CARD, "0x8086", "xe")
    put_all(tree, device, {"power/control": "auto", "hwmon/hwmon3/energy1_input": "1000000"})
    with opened(tree.suite()) as suite:
        for _ in range(12):
            tree.clock.advance(1)
            suite.read()
        assert ages(suite, tree)[CARD] == 12
