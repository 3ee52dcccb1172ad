"""A journal is kept where only its user writes, and each file in it is whole or not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from amptalk.actuators.journal.folder import ELSEWHERE, JournalFolder, usual_folder
from amptalk.model.errors import JournalError


def test_what_is_written_is_read_and_listed(folder: JournalFolder) -> None:
    folder.write("a.json", b"one")
    folder.write("b.json", b"two")
    folder.write("a.json", b"three")
    assert folder.names() == ["a.json", "b.json"]
    assert folder.read("a.json") == b"three"
    folder.remove("a.json")
    folder.remove("a.json")
    assert folder.read("a.json") is None
    assert folder.names() == ["b.json"]


def test_only_its_user_may_enter(folder: JournalFolder) -> None:
    folder.write("a.json", b"one")
    assert os.stat(folder.path).st_mode & 0o077 == 0
    assert os.stat(f"{folder.path}/a.json").st_mode & 0o077 == 0


def test_a_file_that_could_not_be_finished_is_none(
    folder: JournalFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write("a.json", b"before")
    monkeypatch.setattr(os, "write", lambda fd, data: len(data) - 1)
    with pytest.raises(JournalError, match="No space left"):
        folder.write("a.json", b"after")
    monkeypatch.undo()
    assert folder.read("a.json") == b"before"
    assert folder.unfinished() == ["a.json.new"]
    folder.write("a.json", b"after")
    assert folder.unfinished() == []


def test_a_link_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir(0o700)
    (tmp_path / "run").symlink_to(tmp_path / "theirs")
    with pytest.raises(JournalError, match="is a link"):
        JournalFolder(str(tmp_path / "run"), create=True)


def test_a_link_in_the_place_of_a_file_is_neither_read_nor_written_through(
    folder: JournalFolder, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("kept")
    (Path(folder.path) / "a.json").symlink_to(secret)
    (Path(folder.path) / "b.json.new").symlink_to(secret)
    with pytest.raises(JournalError, match="is a link"):
        folder.read("a.json")
    folder.write("a.json", b"ours")
    folder.write("b.json", b"ours")
    assert secret.read_text() == "kept"
    assert folder.read("a.json") == folder.read("b.json") == b"ours"


def test_a_fifo_in_the_place_of_a_file_does_not_hang(folder: JournalFolder) -> None:
    os.mkfifo(f"{folder.path}/a.json", 0o600)
    with pytest.raises(JournalError, match="no ordinary file"):
        folder.read("a.json")


@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_a_folder_or_file_that_others_may_write_is_refused(
    folder: JournalFolder, mode: int
) -> None:
    folder.write("a.json", b"one")
    os.chmod(f"{folder.path}/a.json", mode)
    with pytest.raises(JournalError, match="may be written by others: chmod go-w"):
        folder.read("a.json")
    os.chmod(folder.path, mode)
    with pytest.raises(JournalError, match="may be written by others: chmod go-w"):
        JournalFolder(folder.path, create=True)


def test_a_place_where_others_could_replace_it_is_refused(tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o777)
    with pytest.raises(JournalError, match="others could replace the journal"):
        JournalFolder(str(tmp_path / "run"), create=True)
    os.chmod(tmp_path, 0o1777)  # as /tmp: others cannot
    JournalFolder(str(tmp_path / "run"), create=True).close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_or_file_of_another_user_is_refused(folder: JournalFolder) -> None:
    folder.write("a.json", b"one")
    os.chown(f"{folder.path}/a.json", 65534, 65534)
    with pytest.raises(JournalError, match="belongs to user 65534"):
        folder.read("a.json")
    os.chown(folder.path, 65534, 65534)
    with pytest.raises(JournalError, match="belongs to user 65534"):
        JournalFolder(folder.path, create=True)


def test_a_folder_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=f"set {ELSEWHERE} to a folder"):
        JournalFolder(str(tmp_path / "none" / "run"), create=True)


def test_where_it_is_kept(tmp_path: Path) -> None:
    session = {"XDG_RUNTIME_DIR": str(tmp_path)}
    assert usual_folder(session, 1000) == f"{tmp_path}/amptalk"
    assert usual_folder(session, 0) == "/run/amptalk", "a session's variable does not move root's"
    assert usual_folder({ELSEWHERE: "/srv/run", **session}, 0) == "/srv/run"
    with pytest.raises(JournalError, match="no folder for the journal"):
        usual_folder({"XDG_RUNTIME_DIR": f"{tmp_path}/none"}, 1000)
    with pytest.raises(JournalError, match="not an absolute path"):
        usual_folder({ELSEWHERE: "run"}, 1000)
