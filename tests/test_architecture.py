"""The folders are the architecture: imports point along the sentence and never back.

Sensors → sample → history → limits → strategies → actuators → telemetry, with the
nouns below and the engine above. The package loads nothing heavy until it is used.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.helpers import ROOT, output_of

PACKAGE = ROOT / "src" / "amptalk"

ALLOWED: dict[str, set[str]] = {
    "model": set(),
    "clock": set(),
    "config": {"model"},
    "loop": set(),
    "block": set(),
    "registry": set(),
    "sensors": {"model", "clock"},
    "history": {"model"},
    "limits": {"model"},
    "forecast": {"model"},
    "sharing": {"model"},
    "strategies": {"model", "forecast", "sharing"},
    "actuators": {"model", "clock", "limits", "sensors"},
    "telemetry": {"model", "history"},
    "appeals": {"model", "sensors", "strategies"},
    "engine": {"model", "history", "limits", "telemetry"},
    "recommendations": {"model", "history", "limits"},
    "signals": {"model", "clock", "sensors", "history", "limits", "actuators", "engine"},
    "cooperation": {"model", "config", "actuators", "sensors", "sharing", "history"},
    "manager": {
        "model", "clock", "config", "loop", "block", "registry", "sensors", "history", "limits",
        "strategies", "actuators", "sharing", "telemetry", "engine", "signals", "appeals",
        "recommendations", "cooperation",
    },
    "simulation": {
        "model", "clock", "config", "sensors", "history", "limits", "strategies", "actuators",
        "sharing", "telemetry", "engine", "manager",
    },
    "create": {"model", "clock", "limits", "manager"},
    "demo": {"model", "limits", "manager"},
    "run": {
        "model", "clock", "config", "sensors", "history", "limits", "strategies", "actuators",
        "telemetry", "engine",
    },
    "cli": {
        "model", "sharing", "clock", "config", "sensors", "limits", "actuators", "manager",
        "simulation", "demo", "run",
    },
}  # fmt: skip
"""Room or module to the rooms it may import, besides itself."""


def room_of(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def rooms_imported_by(path: Path) -> set[str]:
    rooms: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [node.module]
            if node.module == "amptalk":
                names = [f"amptalk.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        rooms |= {name.split(".")[1] for name in names if name.startswith("amptalk.")}
    return rooms


MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_along_the_sentence_and_never_back(path: Path) -> None:
    room = room_of(path)
    assert room in ALLOWED, f"{room}: a new room needs its place in the order"
    backwards = rooms_imported_by(path) - ALLOWED[room] - {room, "__version__"}
    assert not backwards, f"{path.relative_to(PACKAGE)} imports {sorted(backwards)}"


def test_the_order_has_no_circle() -> None:
    def reaches(start: str, seen: frozenset[str] = frozenset()) -> None:
        assert start not in seen, f"{start} reaches itself"
        for below in ALLOWED[start]:
            reaches(below, seen | {start})

    for room in ALLOWED:
        reaches(room)


def test_only_sensors_read_the_machine_and_only_actuators_change_it() -> None:
    machine = ("/proc", "/sys/")
    for path in MODULES:
        if room_of(path) in {"sensors", "demo", "cli"}:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not node.value.startswith(machine), f"{path}: {node.value!r}"


def test_no_module_is_longer_than_it_should_be() -> None:
    longest = {
        str(path.relative_to(PACKAGE)): lines
        for path in MODULES
        if (lines := path.read_text(encoding="utf-8").count("\n")) > 300
    }
    assert not longest


def test_importing_the_package_loads_no_part_of_it_and_a_manager_nothing_heavy() -> None:
    loaded = output_of(
        "import sys, amptalk\n"
        "assert not [m for m in sys.modules if m.startswith('amptalk.')]\n"
        "with amptalk.create_resource_manager(max_memory_mb=100000) as manager:\n"
        "    manager.get_current_metrics()\n"
        "heavy = {'psutil', 'opentelemetry', 'torch', 'numpy', 'asyncio', 'sqlite3', 'json'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert loaded.strip() == "[]"


def test_every_public_name_is_there_and_the_specified_path_gives_the_same_objects() -> None:
    assert (
        output_of(
            "import amptalk, src.core.resource_management as specified\n"
            "for name in amptalk.__all__:\n"
            "    assert getattr(amptalk, name) is not None\n"
            "for name in specified.__all__:\n"
            "    assert getattr(specified, name) is getattr(amptalk, name), name\n"
            "print(sorted(set(amptalk.__all__) - set(specified.__all__)))"
        ).strip()
        == "['History', '__version__']"
    )
