"""The table of levers is what the code does: each of them is registered, and the notice goes."""

from __future__ import annotations

from typing import Any

import pytest

from amptalk.actuators.levers import levers
from amptalk.limits.limits import ResourceLimits
from amptalk.manager import ResourceManager
from amptalk.model.errors import ConfigurationError
from amptalk.model.resource import BUILT_IN
from tests.helpers import run_python

LIMITS = dict(zip(BUILT_IN, ResourceLimits._fields, strict=True))
AMOUNTS = {"memory": "memory_mb", "cpu": "cpu_percent", "gpu_memory": "gpu_memory_mb"}


def manager(resource: str) -> ResourceManager:
    return ResourceManager(ResourceLimits(**{LIMITS[resource]: 90}))


def held(one: ResourceManager) -> bool:
    return not any("nothing holds yet" in notice for notice in one.notices())


@pytest.mark.parametrize("resource", BUILT_IN)
def test_every_lever_of_the_table_holds_its_resource(resource: str) -> None:
    for lever in levers(BUILT_IN[resource], seen=True):
        one = manager(resource)
        assert not held(one)
        if lever == "knob":
            one.knob("batch", minimum=1, maximum=8, resource=resource)
        elif lever == "hook":
            one.hook("unload", lambda: None, resource=resource)
        elif lever == "ladder":
            one.ladder("precision", ["fp16", "int8"], lambda _mode: None, resource=resource)
        elif lever == "admission":
            with one.admit("work"):
                assert held(one)
        elif lever == "component":
            asked: dict[str, Any] = {AMOUNTS[resource]: (0, 50)}
            assert one.component("part", **asked).grant(resource) >= 0
            continue
        else:
            assert lever == "trim"
            assert "memory_trim" in {actuator.name for actuator in one._actuation.ladder._actuators}
            continue
        assert held(one), f"{lever} does not hold {resource}"


@pytest.mark.parametrize("resource", sorted(BUILT_IN.keys() - AMOUNTS.keys()))
def test_what_the_table_leaves_out_is_refused(resource: str) -> None:
    assert "component" not in levers(BUILT_IN[resource], seen=True)
    asked: dict[str, Any] = {f"{resource}_mb": (0, 50)}
    with pytest.raises((TypeError, ConfigurationError)):
        manager(resource).component("part", **asked)


@pytest.mark.parametrize("resource", ["memory", "gpu_memory"])
def test_unseen_memory_is_held_by_the_amounts_that_work_states(resource: str) -> None:
    assert levers(BUILT_IN[resource], seen=False) == ("admission",)
    amount = AMOUNTS[resource]
    result = run_python(
        "import threading\n"
        "from amptalk import AdmissionTimeoutError, create_resource_manager\n"
        f"manager = create_resource_manager({LIMITS[resource]}=100000)\n"
        "def second():\n"
        "    try:\n"
        f"        with manager.admit('b', {amount}=80000, timeout=0.2): print('passed')\n"
        "    except AdmissionTimeoutError: print('held')\n"
        f"with manager.admit('a', {amount}=80000):\n"
        "    thread = threading.Thread(target=second); thread.start(); thread.join()\n"
    )
    assert (result.stdout.strip(), result.stderr) == ("held", "")


@pytest.mark.parametrize("resource", ["cpu", "gpu", "power", "temperature"])
def test_an_unseen_rate_cannot_be_held(resource: str) -> None:
    assert levers(BUILT_IN[resource], seen=False) == ()
