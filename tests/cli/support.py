"""What the tests of the command share."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from amptalk.cli.doctor_view import View, view
from amptalk.sensors.diagnosis.machine import User
from tests.sensors.diagnosis.machines import USER, machine
from tests.sensors.trees import PID, Tree, opened


def seen(tree: Tree, scope: str = "application", user: User = USER) -> View:
    """What doctor has to say of a made-up machine."""
    with opened(tree.suite(scope)) as suite:
        for _ in range(2):
            tree.clock.advance(6)
            suite.read()
        return view(suite, machine(tree, user), PID)


def strict(text: str) -> dict[str, Any]:
    def refuse(constant: str) -> NoReturn:
        raise AssertionError(f"{constant} is no JSON")

    whole: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return whole
