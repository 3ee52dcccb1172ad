"""Pressure stall information: the three states of a kernel."""

from __future__ import annotations

import errno

import pytest

from amptalk.sensors.diagnosis.diagnose import ABSENT, FIXABLE, WORKS
from tests.sensors.diagnosis.machines import diagnosed, laptop, told, without_pressure
from tests.sensors.trees import Tree, failing


def test_an_older_kernel_has_the_files_and_refuses_to_be_read(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop(tree)
    failing(monkeypatch, f"{tree.roots.proc}/pressure/io", errno.EOPNOTSUPP)
    found = diagnosed(tree)
    assert found["device cpu pressure"].state == WORKS
    assert "disabled at boot" in told(found["device io pressure"])
    assert "psi=1 /' /etc/default/grub" in found["device io pressure"].remedy


@pytest.mark.parametrize("given", ["psi=0", "psi=n", "psi=off"])
def test_what_was_switched_off_is_switched_on_by_taking_that_out(tree: Tree, given: str) -> None:
    laptop(tree)
    without_pressure(tree)
    tree.put("proc/cmdline", f"quiet psi=1 {given}\n")
    pressure = diagnosed(tree)["device cpu pressure"]
    assert f"switched off by {given} at boot" in told(pressure)
    assert f"s/ *{given}//" in pressure.remedy


@pytest.mark.parametrize("case", ["asked for in vain", "built without"])
def test_a_kernel_without_it_cannot_be_helped_by_an_option(tree: Tree, case: str) -> None:
    laptop(tree)
    without_pressure(tree)
    if case == "asked for in vain":
        tree.put("proc/cmdline", "psi=1\n")
    else:
        tree.put("boot/config-6.8.0-40-generic", "CONFIG_SMP=y\n")
    pressure = diagnosed(tree)["device cpu pressure"]
    assert pressure.state == ABSENT
    assert "not in this kernel" in told(pressure)
    assert not pressure.remedy


def test_it_is_said_whether_the_kernel_is_known_to_have_it(tree: Tree) -> None:
    laptop(tree)
    without_pressure(tree)
    assert "which cannot be seen here" in told(diagnosed(tree)["device cpu pressure"])
    tree.put("boot/config-6.8.0-40-generic", "CONFIG_PSI=y\nCONFIG_PSI_DEFAULT_DISABLED=y\n")
    pressure = diagnosed(tree)["device cpu pressure"]
    assert pressure.state == FIXABLE
    assert "which cannot be seen here" not in told(pressure)
