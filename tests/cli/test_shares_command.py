"""`amptalk shares` shows who holds what of a budget, and takes nothing of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from amptalk.cli.main import main
from amptalk.model.decision import Ask
from amptalk.sharing.ledgers.contract import Entry
from amptalk.sharing.ledgers.sqlite.ledger import SqliteLedger


def shown(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    assert main(["shares", *arguments]) == status
    return capsys.readouterr().out


def test_who_holds_lends_and_is_owed_what(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:{tmp_path}/shares"
    ledger = SqliteLedger(f"{tmp_path}/shares", {"memory": 1000.0}, "robot")
    ledger.join(Entry("asr", {"memory": Ask(200.0, 800.0)}, {"memory": 200.0}))
    ledger.join(Entry("llm", {"memory": Ask(100.0, 900.0)}, {}))
    ledger.change("asr", "memory", demand=500.0)
    assert shown(capsys, "--sharing", url) == (
        "COMPONENT  RESOURCE  GRANTED  CHARGED  OF       WANTS  LENT  BORROWED  OWED  PROGRAM\n"
        "asr        memory    200 MB   200      200-800  500    0     0         300   robot\n"
        "llm        memory    500 MB   800      100-900  all    0     0         0     robot\n"
        "memory: 1000 of 1000 charged\n"
    )
    lines = [json.loads(line) for line in shown(capsys, "--sharing", url, "--json").splitlines()]
    assert [(line["component"], line["demand"], line["program"]) for line in lines] == [
        ("asr", 500.0, "robot"), ("llm", None, "robot"),
    ]  # fmt: skip
    ledger.close()
    assert "nobody holds anything in" in shown(capsys, "--sharing", url)


def test_without_a_ledger_it_says_so_and_makes_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "nobody shares: there is no ledger" in shown(capsys, "--sharing", f"sqlite:{tmp_path}/x")
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_shared_ledger_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    shown(capsys, "--sharing", "memory:", status=2)
