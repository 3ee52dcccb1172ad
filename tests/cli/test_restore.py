"""`amptalk restore` undoes what a killed program left, and fails while anything remains."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from amptalk.actuators.journal.changes import VALUE, Change
from amptalk.actuators.journal.folder import ELSEWHERE, JournalFolder
from amptalk.actuators.journal.journal import Journal
from amptalk.cli.main import main
from amptalk.sensors.identity import Identity, identity_of

BEFORE, OURS = "0", "500"


class Victim:
    """A child whose score was raised by a process that has ended."""

    def __init__(self, folder: str) -> None:
        self.pid = os.fork()
        if self.pid == 0:
            signal.pause()
            os._exit(0)
        owner = identity_of("/proc", os.getpid())._replace(start=1)
        path = f"/proc/{self.pid}/oom_score_adj"
        self.file = Path(path)
        start = identity_of("/proc", self.pid).start
        journal = Journal(JournalFolder(folder, create=True), Identity(*owner))
        journal.note(Change(VALUE, path, self.file.read_text().strip(), (OURS,),
                            (self.pid, start)))  # fmt: skip
        journal.close()
        self.before = self.file.read_text()
        self.file.write_text(OURS)

    def end(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def test_it_waits_for_the_end_of_a_process(folder: str) -> None:
    process = subprocess.Popen(["/bin/sleep", "0.2"])
    assert main(["restore", "--when-ended", str(process.pid)]) == 0
    assert process.wait() == 0
    assert main(["restore", "--when-ended", str(process.pid)]) == 0, "it has ended already"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(ELSEWHERE, str(tmp_path / "run"))
    return str(tmp_path / "run")


def test_it_undoes_on_the_real_kernel(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    victim = Victim(folder)
    try:
        assert main(["restore", "--dry-run"]) == 1
        assert "would be undone: " in capsys.readouterr().out
        assert victim.file.read_text().strip() == OURS
        assert main(["restore"]) == 0
        assert "undone: " in capsys.readouterr().out
        assert victim.file.read_text() == victim.before
        assert main(["restore"]) == 0
        assert "is empty" in capsys.readouterr().out
    finally:
        victim.end()


def test_it_fails_while_something_remains(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    journal = JournalFolder(folder, create=True)
    journal.write("1-1-000001.json", b"{")
    assert main(["restore"]) == 1
    assert "remains: 1-1-000001.json is not an entry" in capsys.readouterr().out
    assert journal.names()


def test_what_is_in_use_is_no_failure(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    journal = Journal(JournalFolder(folder, create=True), identity_of("/proc", os.getpid()))
    journal.note(Change(VALUE, f"/proc/{os.getpid()}/oom_score_adj", "0", ("0",),
                        (os.getpid(), journal.owner.start)))  # fmt: skip
    assert main(["restore"]) == 0
    assert "in use by processes that live: 1" in capsys.readouterr().out


def test_without_a_journal_there_is_nothing(
    folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["restore"]) == 0
    assert f"there is no journal in {folder}" in capsys.readouterr().out
    assert not os.path.exists(folder)


def test_a_journal_that_others_may_write_is_not_used(
    folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkdir(folder)
    os.chmod(folder, 0o777)
    assert main(["restore"]) == 2
    assert "may be written by others" in capsys.readouterr().err
