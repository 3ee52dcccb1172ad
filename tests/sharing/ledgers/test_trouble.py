"""What is wrong with a directory, a file, a disk or a version is said, and nobody loses a grant."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from amptalk.model.decision import Ask
from amptalk.model.errors import ConfigurationError, LedgerError
from amptalk.sharing.ledgers.contract import Entry, boottime
from amptalk.sharing.ledgers.sqlite.folder import usual_folder
from amptalk.sharing.ledgers.sqlite.ledger import FILE, SqliteLedger
from tests.helpers import environment

MEMORY = {"memory": 1000.0}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "shares"


@pytest.fixture
def ledger(folder: Path) -> Iterator[SqliteLedger]:
    found = SqliteLedger(str(folder), MEMORY, "first")
    found.join(Entry("asr", {"memory": Ask(200.0, 800.0)}, {}))
    yield found
    found.close()


def refused(folder: Path, match: str) -> None:
    with pytest.raises(LedgerError, match=match):
        SqliteLedger(str(folder), MEMORY, "second")


def test_a_directory_that_others_can_write_is_refused(folder: Path, ledger: SqliteLedger) -> None:
    folder.chmod(0o777)
    refused(folder, r"can be written by others \(mode 777\).*chmod 700")
    folder.chmod(0o700)
    SqliteLedger(str(folder), MEMORY, "second").close()


def test_a_directory_of_somebody_else_is_refused(folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a directory away")
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, -1)
    refused(folder, "belongs to user 12345, not to this one")


def test_what_is_no_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused(tmp_path / "file", "cannot be made: File exists.*name another")
    (tmp_path / "link").symlink_to(tmp_path)
    refused(tmp_path / "link", "is no directory")


def test_a_file_that_is_no_database_is_refused_and_kept(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    (folder / FILE).write_bytes(b"my notes, which are long enough for a header" * 100)
    before = len(os.listdir("/proc/self/fd"))
    refused(folder, "is no ledger, or a broken one.*remove its directory")
    assert len(os.listdir("/proc/self/fd")) == before, "nothing is left open"
    assert (folder / FILE).read_bytes().startswith(b"my notes")


def test_a_database_of_another_program_is_refused_and_kept(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    with sqlite3.connect(folder / FILE) as other:
        other.execute("CREATE TABLE songs(title)")
    other.close()
    refused(folder, "database of another program: name another directory")


def test_a_file_system_that_cannot_do_what_it_takes_is_refused(folder: Path) -> None:
    (folder / "hint-0").mkdir(mode=0o700, parents=True)
    folder.chmod(0o700)
    before = len(os.listdir("/proc/self/fd"))
    refused(folder, r"cannot be used: .*Is a directory.*name a directory on a file system of this")
    assert len(os.listdir("/proc/self/fd")) == before, "nothing is left open"


def test_a_lock_that_fails_is_said_and_changes_nothing(
    ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    with monkeypatch.context() as broken:
        broken.setattr(ledger._gate, "enter", fails)
        with pytest.raises(LedgerError, match=r"nothing was changed: .*No locks"):
            ledger.change("asr", "memory", demand=300.0)
    assert ledger.change("asr", "memory", demand=300.0) == 300


def test_two_versions_of_the_schema_do_not_meet(folder: Path, ledger: SqliteLedger) -> None:
    ledger._connection.execute("PRAGMA user_version = 99")
    refused(folder, "has version 99 of the ledger, this program knows 1")
    assert ledger.rows()[0].granted == 800, "who was there goes on"


def test_a_file_that_breaks_meanwhile_costs_nobody_a_grant(
    folder: Path, ledger: SqliteLedger
) -> None:
    size = (folder / FILE).stat().st_size
    (folder / f"{FILE}-wal").write_bytes(b"")
    (folder / FILE).write_bytes(b"garbage!" * (size // 8 + 1000))
    ledger._connection.execute("PRAGMA shrink_memory")  # nothing is remembered of it
    with pytest.raises(LedgerError, match=r"the ledger .*(is broken|nothing was changed)"):
        ledger.join(Entry("new", {"memory": Ask(0.0, 1.0)}, {}))


def test_a_ledger_that_was_removed_is_said_so(folder: Path, ledger: SqliteLedger) -> None:
    shutil.rmtree(folder)
    with pytest.raises(LedgerError, match=r"was removed or replaced: grants stay"):
        ledger.settle(boottime())


def test_another_limit_than_the_others_have_is_refused(folder: Path, ledger: SqliteLedger) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ConfigurationError, match="memory is 800 here, but 1000 for those"):
        SqliteLedger(str(folder), {"memory": 800.0}, "second")
    # SQLite keeps the file itself open for as long as this process has another connection to it.
    assert len(os.listdir("/proc/self/fd")) <= before + 1
    SqliteLedger(str(folder), {"cpu": 80.0}, "third").close()
    assert ledger.capacities() == MEMORY


def test_a_full_tmpfs_refuses_what_is_new_and_keeps_what_is_granted(tmp_path: Path) -> None:
    code = """
import os, sys
from amptalk.model.decision import Ask
from amptalk.model.errors import LedgerError
from amptalk.sharing.ledgers.contract import Entry, boottime
from amptalk.sharing.ledgers.sqlite.ledger import SqliteLedger
ledger = SqliteLedger(sys.argv[1] + "/shares", {"memory": 1000.0}, "first")
ledger.join(Entry("asr", {"memory": Ask(200.0, 800.0)}, {}))
ballast = os.open(sys.argv[1] + "/ballast", os.O_WRONLY | os.O_CREAT)
try:
    while True:
        os.write(ballast, bytes(1024))
except OSError:
    os.close(ballast)
said = set()
for number in range(3000):
    try:
        ledger.join(Entry(f"more {number}", {"memory": Ask(0.0, 1.0)}, {}))
    except LedgerError as error:
        said.add(str(error))
        break
print(said)
os.unlink(sys.argv[1] + "/ballast")
rows = {row.component: row.granted for row in ledger.settle(boottime())}
assert rows["asr"] == 800 - number, (rows, number)
ledger.change("asr", "memory", demand=300.0)
"""
    mount = f'mount -t tmpfs -o size=300k,mode=700 none {tmp_path} && exec "$0" "$@"'
    result = subprocess.run(
        ["unshare", "-r", "-m", "sh", "-c", mount, sys.executable, "-c", code, str(tmp_path)],
        capture_output=True, text=True, check=False,
        env=environment(),
    )  # fmt: skip
    if "unshare" in result.stderr or "mount:" in result.stderr:
        pytest.skip("no tmpfs can be mounted here")
    assert result.returncode == 0, result.stderr
    assert "nothing was changed: database or disk is full" in result.stdout


def test_the_usual_directory_is_of_the_user_and_in_memory() -> None:
    assert usual_folder({"XDG_RUNTIME_DIR": "/run/user/7"}, 7) == "/run/user/7/amptalk-ledger"
    assert usual_folder({"XDG_RUNTIME_DIR": "here"}, 0) == "/run/amptalk-ledger"
    assert usual_folder({}, 7) == "/dev/shm/amptalk-ledger-7"
