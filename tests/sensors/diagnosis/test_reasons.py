"""Every reason that the code of the sensors can give: a remedy, or why there is none."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from amptalk.sensors.diagnosis.causes import Cause
from amptalk.sensors.diagnosis.outcomes import OUTCOMES, finding_of, outcome_of
from amptalk.sensors.files import _WORDS, garbled
from amptalk.sensors.gpu.nvml import _NOT_STARTED, _words
from amptalk.sensors.gpu.reading import ASLEEP
from amptalk.sensors.power.rapl import MAKE_READABLE
from amptalk.sensors.pressure import REMEDY
from amptalk.sensors.report import HISTORY
from tests.helpers import ROOT

SENSORS = ROOT / "src" / "amptalk" / "sensors"
SAYING = {"SensorFault": 0, "NvmlFault": 1, "lose": 1, "lack": 1, "no_energy": 1}
"""Calls that state a reason, and which of their arguments it is; a remedy may follow it."""


def parsed() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SENSORS.rglob("*.py")):
        if "diagnosis" not in path.parts:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            yield str(path.relative_to(SENSORS)), tree


def texts_by_name(tree: ast.Module, known: dict[str, str]) -> dict[str, str]:
    """What each name stands for, when it is given a text anywhere in a module."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            text = text_of(node.value, known | found)
            if text:
                found[node.targets[0].id] = text
    return found


def text_of(node: ast.expr, names: dict[str, str]) -> str:
    """A text as written, with `0` in the place of what is not known before it runs."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.Name):
        return names.get(node.id, "")
    if isinstance(node, ast.FormattedValue):
        return text_of(node.value, names) or "0"
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part, names) for part in node.values)
    if isinstance(node, ast.BoolOp):
        return text_of(node.values[-1], names)
    return ""


def written_reasons() -> Iterator[tuple[str, str, bool]]:
    """Where, which reason, and whether a remedy is given with it."""
    everywhere: dict[str, str] = {}
    for _, tree in parsed():
        everywhere |= {
            name: text for name, text in texts_by_name(tree, {}).items() if name.isupper()
        }
    for path, tree in parsed():
        names = everywhere | texts_by_name(tree, everywhere)
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            at = SAYING.get(called, len(node.args))
            if at < len(node.args):
                reason = text_of(node.args[at], names)
                if reason and not reason.startswith("0 0"):
                    yield f"{path}:{node.lineno}", reason, at + 1 < len(node.args)


NAMED = {
    "HISTORY": HISTORY,
    "asleep": ASLEEP.reason,
    "garbled": garbled("/a", "b").reason,
    **{f"errno {number}": f"/a {words}" for number, words in _WORDS.items()},
    **{f"nvml {code}": words[0] for code, words in _NOT_STARTED.items()},
    **{
        f"nvml {code}": _words(code, "nvmlX")
        for code in ("NOT_SUPPORTED", "FUNCTION_NOT_FOUND", "NO_PERMISSION", "GPU_IS_LOST",
                     "RESET_REQUIRED", "UNKNOWN")
    },
}  # fmt: skip
"""Reasons that are not written where they are given."""
WRITTEN = list(written_reasons())


@pytest.mark.parametrize(
    ("where", "reason", "remedy"), WRITTEN, ids=[f"{one[0]}" for one in WRITTEN]
)
def test_every_written_reason_has_one_meaning_and_a_remedy_or_why_there_is_none(
    where: str, reason: str, remedy: bool
) -> None:
    meanings = [one for one in OUTCOMES if re.search(one.pattern, reason)]
    hint = "add a row in sensors/diagnosis/outcomes.py"
    assert len(meanings) == 1, f"{where}: {reason!r} has {meanings}; {hint}"
    outcome = meanings[0]
    assert outcome.nothing or remedy or outcome.cause in EXPLAINED, f"{where}: {reason!r}; {hint}"


EXPLAINED = {Cause.NO_DEVICE, Cause.NO_GROUP, Cause.AT_BOOT}
"""Causes with a topic of their own, which knows the remedy by the machine (`test_devices`)."""


@pytest.mark.parametrize("name", NAMED)
def test_every_named_reason_has_one_meaning(name: str) -> None:
    meanings = [one for one in OUTCOMES if re.search(one.pattern, NAMED[name])]
    assert len(meanings) == 1, f"{NAMED[name]!r} has {meanings}"


def test_no_meaning_is_of_a_reason_that_nobody_gives() -> None:
    texts = [reason for _, reason, _ in WRITTEN] + list(NAMED.values())
    source = "".join(
        path.read_text(encoding="utf-8")
        for path in SENSORS.rglob("*.py")
        if "diagnosis" not in path.parts
    )
    for outcome in OUTCOMES:
        if not any(re.search(outcome.pattern, text) for text in texts):
            plain = re.sub(r"[\\^$]", "", outcome.pattern).strip()
            assert any(part in source for part in plain.split("|")), outcome.pattern


def test_what_has_no_remedy_says_why() -> None:
    finding = finding_of("/proc/meminfo is not as documented: it has no MemTotal", "")
    assert finding.cause is Cause.BROKEN
    assert "report it" in finding.reason
    assert finding_of("what nobody wrote", "do this").remedy == "do this"
    assert outcome_of("what nobody wrote") is None


def test_remedies_that_two_places_give_are_the_same() -> None:
    assert "psi=1" in REMEDY
    assert "\n" not in MAKE_READABLE
