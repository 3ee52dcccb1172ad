"""The guardian of a real application: it acts while the application cannot, and ends after it.

Skipped with the reason where this user may not make control groups.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from amptalk.actuators.journal.folder import JournalFolder
from amptalk.sensors.identity import start_of
from tests.helpers import ROOT, eventually, run_python
from tests.integration.enforcing import gone, groups_of, program, said, why_not

WHY_NOT = why_not("memory", "cpu")
grouped = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "can be had")
LARGEST_MB = 12
UNDONE_WITHIN = 1.0
"""Seconds after the end of its owner."""

OWNER = """
import os, subprocess, sys, time
from amptalk import create_resource_manager

child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
manager = create_resource_manager(max_memory_mb=4000, max_cpu_percent=90, handling="enforce")
manager.child(child, priority=-1)
manager.start_monitoring()
print([text for text in manager.notices() if "guardian" in text][0], flush=True)
print(child.pid, flush=True)
"""
GOES_ON = OWNER + "sys.stdin.read()\nmanager.stop_monitoring()\nchild.kill()\nchild.wait()\n"


def guardian_of(sentence: str) -> int:
    """Its process, by what the manager says of it."""
    found = re.search(r"a guardian \(process (\d+)", sentence)
    assert found, sentence
    return int(found[1])


def ended(pid: int) -> bool:
    return start_of("/proc", pid) is None


def status(pid: int, key: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(key + ":"))


@grouped
def test_it_is_small_and_apart_and_ends_with_a_word_of_its_owner(tmp_path: Path) -> None:
    with program(GOES_ON, tmp_path / "run") as process:
        pid = guardian_of(said(process))
        child = int(said(process))
        eventually(lambda: "S" in status(pid, "State"), "it has started")
        eventually(lambda: os.getsid(pid) == pid, "it has a session of its own")
        assert int(status(pid, "PPid")) != process.pid, "no child that the application could meet"
        assert status(pid, "Threads") == "1"
        assert f"amptalk-{process.pid}-" in Path(f"/proc/{pid}/cgroup").read_text()
        assert "-guardian" in Path(f"/proc/{pid}/cgroup").read_text()
        assert f"amptalk-{process.pid}-" in Path(f"/proc/{child}/cgroup").read_text()
        assert int(status(pid, "VmHWM")) <= LARGEST_MB * 1024
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait() == 0
        eventually(lambda: ended(pid), "the guardian ends")
        gone(process.pid)


@grouped
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGABRT])
def test_whatever_ends_its_owner_all_is_undone_within_a_second(
    tmp_path: Path, how: signal.Signals
) -> None:
    with program(GOES_ON, tmp_path / "run") as process:
        pid = guardian_of(said(process))
        child = int(said(process))
        assert len(groups_of(process.pid)) >= 3
        killed = time.monotonic()
        process.send_signal(how)
        process.wait()
        gone(process.pid)
        took = time.monotonic() - killed
        eventually(lambda: ended(pid), "the guardian ends")
        assert JournalFolder(str(tmp_path / "run"), create=False).names() == []
        assert Path(f"/proc/{child}/cgroup").read_text() == Path("/proc/self/cgroup").read_text()
        score = Path(f"/proc/{child}/oom_score_adj").read_text()
        assert score == Path("/proc/self/oom_score_adj").read_text()
        assert took <= UNDONE_WITHIN


@grouped
def test_a_program_that_is_replaced_by_another_leaves_nothing_either(tmp_path: Path) -> None:
    code = OWNER + "sys.stdin.readline()\nos.execv('/bin/sleep', ['sleep', '60'])\n"
    with program(code, tmp_path / "run") as process:
        pid = guardian_of(said(process))
        said(process)
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
        gone(process.pid)
        assert process.poll() is None
        eventually(lambda: ended(pid), "the guardian ends")


@grouped
def test_a_guardian_that_is_killed_is_replaced(tmp_path: Path) -> None:
    with program(GOES_ON, tmp_path / "run") as process:
        first = guardian_of(said(process))
        said(process)
        os.kill(first, signal.SIGKILL)
        members = [Path(folder) / "cgroup.procs" for folder in groups_of(process.pid)
                   if folder.endswith("-guardian")]  # fmt: skip
        eventually(lambda: any(m.read_text().split() not in ([], [str(first)]) for m in members),
                   "another one is there")  # fmt: skip
        second = int(members[0].read_text())
        around = Path("/proc/self/cgroup").read_text().splitlines()
        theirs = Path(f"/proc/{second}/cgroup").read_text().splitlines()
        assert len(set(theirs) - set(around)) == 1, "outside of all groups but its own"
        process.kill()
        process.wait()
        gone(process.pid)


@grouped
def test_the_first_process_of_a_container_inherits_it_and_still_does_not_count_it() -> None:
    done = run_python("""
import ctypes, os, sys, tempfile
os.environ["AMPTALK_RUN_DIR"] = tempfile.mkdtemp() + "/run"
assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0  # PR_SET_CHILD_SUBREAPER
from amptalk import create_resource_manager
from amptalk.sensors.own import family_memory_mb, own_memory_mb
with create_resource_manager(max_memory_mb=4000, handling="enforce") as manager:
    guardian = manager._actuation.enforcement._guarding._process.pid
    parent = open(f"/proc/{guardian}/stat").read().rpartition(")")[2].split()[1]
    assert int(parent) == os.getpid(), "it was not inherited"
    assert manager._sensors._application.pids == (os.getpid(),)
    assert abs(family_memory_mb() - own_memory_mb()) < 1
    print(len(manager._actuation.enforcement._members()))
""")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "1"


UNGROUPED = """
import os, sys
from amptalk.actuators.guardian.guardian import GuardianProcess
from amptalk.actuators.journal.folder import JournalFolder
from amptalk.actuators.journal.journal import Journal
from amptalk.actuators.journal.changes import VALUE, STOPPED, Change
from amptalk.sensors.identity import identity_of
import subprocess, signal
folder = sys.argv[1]
me = identity_of("/proc", os.getpid())
journal = Journal(JournalFolder(folder, create=True), me)
child = subprocess.Popen(["/bin/sleep", "60"], stdout=subprocess.DEVNULL)
start = identity_of("/proc", child.pid).start
journal.note(Change(STOPPED, f"/proc/{child.pid}", "", (), (child.pid, start)))
guardian = GuardianProcess(me, folder)
while not guardian.ready:
    guardian.take()
os.kill(child.pid, signal.SIGSTOP)
print(child.pid, guardian.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_without_any_group_it_lets_go_on_what_was_stopped(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-c", UNGROUPED, str(tmp_path / "run")], env=environment,
        stdout=subprocess.PIPE, text=True, timeout=60, check=False,
    )  # fmt: skip
    child, guardian = map(int, done.stdout.split())
    try:
        eventually(lambda: ended(guardian), "the guardian has done its work")
        assert status(child, "State") == "S"
        assert list((tmp_path / "run").iterdir()) == []
    finally:
        os.kill(child, signal.SIGKILL)
