"""What the harness does on the host: no virtual machine is started here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import ROOT, eventually
from tests.vm import __main__ as command
from tests.vm import needs
from tests.vm.__main__ import verdict
from tests.vm.archive import archive
from tests.vm.kernel import MODULES, Kernel
from tests.vm.machine import Ending, Machine


def names_and_contents(data: bytes) -> dict[str, bytes]:
    """Read an archive back by the format's description."""
    found: dict[str, bytes] = {}
    at = 0
    while True:
        assert data[at : at + 6] == b"070701"
        fields = [int(data[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        size, length = fields[6], fields[11]
        name = data[at + 110 : at + 110 + length - 1].decode()
        at += (110 + length + 3) // 4 * 4
        if name == "TRAILER!!!":
            return found
        found[name] = data[at : at + size]
        at += (size + 3) // 4 * 4


def test_the_archive_holds_each_file_below_its_folders() -> None:
    files = {"init": b"first", "a/b/c": b"\0\1", "a/d": b""}
    data = archive(files)
    assert names_and_contents(data) == {"a": b"", "a/b": b"", **files}
    assert len(data) % 4 == 0


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        (Ending(0, 60.0, timed_out=False), ""),
        (Ending(1, 60.0, timed_out=False), "failed with status 1"),
        (Ending(None, 2.0, timed_out=False), "died after 2 s"),
        (Ending(None, 240.0, timed_out=True), "stopped after 240 s"),
    ],
)
def test_only_a_status_of_0_is_a_success(ending: Ending, words: str) -> None:
    assert bool(verdict(ending)) == bool(words)
    assert words in verdict(ending)


class Pretended(Machine):
    """A machine whose emulator is a script on the host."""

    script = ""

    def _emulator(self) -> list[str]:
        return [sys.executable, "-c", self.script, str(self.folder)]


def pretended(folder: Path, script: str) -> Pretended:
    machine = Pretended(folder, Kernel("", folder / "vmlinuz", ()))
    machine.script = script
    machine.output.parent.mkdir()
    return machine


def test_a_run_shows_the_output_and_brings_the_status_back(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib\n"
        "shared = pathlib.Path(sys.argv[1]) / 'shared'\n"
        "(shared / 'output').write_text('one\\ntwo\\n')\n"
        "(shared / 'status').write_text('3\\n')\n"
    )
    shown: list[str] = []
    ending = pretended(tmp_path, script).run(20, shown.append)
    assert ending.status == 3
    assert not ending.timed_out
    assert "".join(shown) == "one\ntwo\n"


def test_a_guest_that_dies_leaves_its_last_words(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib\n"
        "(pathlib.Path(sys.argv[1]) / 'console').write_text('Kernel panic - not syncing\\n')\n"
        "sys.exit('no accelerator')\n"
    )
    machine = pretended(tmp_path, script)
    ending = machine.run(20)
    assert ending.status is None
    assert verdict(ending)
    assert "Kernel panic" in machine.last_words()
    assert "no accelerator" in machine.last_words()


def test_a_guest_that_hangs_is_stopped_at_the_limit(tmp_path: Path) -> None:
    script = (
        "import os, sys, pathlib, time\n"
        "(pathlib.Path(sys.argv[1]) / 'console').write_text(str(os.getpid()))\n"
        "time.sleep(1000)\n"
    )
    machine = pretended(tmp_path, script)
    ending = machine.run(1.0)
    assert ending.timed_out
    if machine.console.exists():
        pid = int(machine.console.read_text())
        eventually(lambda: not Path(f"/proc/{pid}").exists(), "the emulator is gone")


def test_missing_packages_are_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "find", lambda program: "")
    with pytest.raises(needs.Unavailable, match=r"apt-get install .*qemu-system-x86"):
        needs.check(install=False)


def test_only_root_installs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "find", lambda program: program if program == "apt-get" else "")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(needs.Unavailable, match="only root can install"):
        needs.check(install=True)


def test_without_apt_the_reason_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "find", lambda program: "")
    with pytest.raises(needs.Unavailable, match="no apt-get here"):
        needs.check(install=True)


def test_what_apt_says_last_is_the_reason() -> None:
    script = "import sys; sys.exit('E: Unable to locate package')"
    with pytest.raises(needs.Unavailable, match="failed: E: Unable to locate package"):
        needs.apt([sys.executable, "-c", script])


def test_where_no_machine_can_be_had_the_tests_are_skipped_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(needs, "find", lambda program: "")
    monkeypatch.setattr(sys, "argv", ["tests.vm"])
    assert command.main() == 0
    assert capsys.readouterr().out.startswith("real kernel: skipped: ")


def test_the_ordinary_run_does_not_collect_the_guests_tests() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "AMPTALK_VM"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "tests/vm"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "test_harness" in done.stdout
    assert "vm/guest" not in done.stdout


def test_firmware_and_tables_have_the_same_readings() -> None:
    from tests.vm.guest.firmware import PAGE, READINGS

    tables = (ROOT / "tests/vm/tables.asl").read_text()
    assert f"SystemMemory, {PAGE:#x}".upper() in tables.upper()
    assert tables.count(", 32") == len(READINGS)
    assert "i2c-stub" in MODULES
