"""The kernel holds limits of a real application, on the groups that this machine has.

Skipped with the reason where this user may not make control groups.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from amptalk.actuators.journal.folder import ELSEWHERE, JournalFolder
from amptalk.actuators.journal.journal import Journal
from amptalk.actuators.kernel.contract import Hold
from amptalk.actuators.kernel.cpu import quota_of
from amptalk.actuators.kernel.own_groups import OwnGroups
from amptalk.actuators.kernel.processes import BackgroundPause, PauseBackground
from amptalk.cli.main import main
from amptalk.sensors.identity import identity_of
from amptalk.sensors.roots import Roots
from tests.helpers import eventually
from tests.integration.enforcing import gone, groups_of, program, said, why_not

WHY_NOT = why_not("memory", "cpu")
grouped = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "can be had")

HOG = """
import os, signal, subprocess, sys, time
from amptalk import create_resource_manager
from amptalk.sensors.own import own_memory_mb

hog = '''
import time
kept = []
while len(kept) < 2000:
    kept.append(bytes([1]) * 2**20)
    time.sleep(0.001)
'''
manager = create_resource_manager(
    max_memory_mb=own_memory_mb() + 150, monitoring_interval=0.05, handling="enforce")
with manager:
    print(manager.notices()[0], flush=True)
    calm = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    process = subprocess.Popen([sys.executable, "-c", hog])
    manager.child(calm, priority=1)
    manager.child(process, priority=0)
    print(process.wait(), flush=True)
    print(calm.poll(), flush=True)
    calm.kill()
    calm.wait()
    print(max(v.peak for v in manager.violations) if manager.violations else 0, flush=True)
print("stopped", flush=True)
"""


@grouped
def test_a_hog_is_killed_at_the_cap_and_those_beside_it_live(tmp_path: Path) -> None:
    neighbour = os.fork()
    if neighbour == 0:
        signal.pause()
        os._exit(0)
    try:
        with program(HOG, tmp_path / "run") as process:
            assert "the kernel holds memory: " in said(process)
            assert said(process) == str(-signal.SIGKILL), "the hog"
            assert said(process) == "None", "the child of a higher priority"
            said(process)
            assert said(process) == "stopped"
            assert process.wait() == 0
        gone(process.pid)
        assert os.waitpid(neighbour, os.WNOHANG) == (0, 0)
        assert JournalFolder(str(tmp_path / "run"), create=False).names() == []
    finally:
        os.kill(neighbour, signal.SIGKILL)
        os.waitpid(neighbour, 0)


BUSY = """
import resource, subprocess, sys, time
from amptalk import create_resource_manager

def cores_used(seconds):
    busy = f"import time\\nend = time.monotonic() + {seconds}\\nwhile time.monotonic() < end: pass"
    started = time.monotonic()
    workers = [subprocess.Popen([sys.executable, "-S", "-c", busy]) for _ in range(3)]
    for worker in workers:
        worker.wait()
    elapsed = time.monotonic() - started
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) / elapsed
"""
LIMITED = f"""{BUSY}
manager = create_resource_manager(
    max_cpu_percent=20, monitoring_interval=0.1, handling="enforce")
with manager:
    print(manager.notices()[0], flush=True)
    used = cores_used(3)
    print(manager.capacity.cpu_cores, flush=True)
    print(used, flush=True)
"""


@grouped
def test_busy_children_get_no_more_than_the_limit(tmp_path: Path) -> None:
    with program(LIMITED, tmp_path / "run") as process:
        assert "the kernel holds cpu: " in said(process)
        cores, used = float(said(process)), float(said(process))
        assert process.wait() == 0
    assert cores >= 1.0, "its own quota is not its capacity"
    assert used <= 0.2 * cores * 1.05
    gone(process.pid)


GRANTED = f"""{BUSY}
manager = create_resource_manager(
    max_cpu_percent=80, monitoring_interval=0.1, handling="enforce", strategy="cooperative",
    sharing="sqlite:" + sys.stdin.readline().strip())
with manager:
    part = manager.component("part", cpu_percent=(5, 80))
    print(manager.notices()[0], flush=True)
    print(manager.capacity.cpu_cores, flush=True)
    part.demand(cpu_percent=20)
    sys.stdin.readline()
    print(part.grant("cpu"), flush=True)
    print(cores_used(1.5), flush=True)
    part.demand(cpu_percent=80)
    sys.stdin.readline()
"""


@grouped
def test_busy_children_get_no_more_than_what_is_granted(tmp_path: Path) -> None:
    with program(GRANTED, tmp_path / "run") as process:

        def say(line: str) -> None:
            assert process.stdin is not None
            print(line, file=process.stdin, flush=True)

        say(str(tmp_path / "ledger"))
        assert "the kernel holds cpu: " in said(process)
        cores = float(said(process))
        granted, full = quota_of(20, cores), quota_of(80, cores)
        eventually(lambda: quota(process.pid) == granted, "the quota goes down to the grant")
        say("")
        assert float(said(process)) == 20
        assert float(said(process)) <= 0.2 * cores * 1.05
        eventually(lambda: quota(process.pid) == full, "and up with it")
        say("")
        assert process.wait() == 0
    gone(process.pid)
    assert JournalFolder(str(tmp_path / "run"), create=False).names() == []


def quota(pid: int) -> int:
    """Microseconds a period that a program's group has; -1 without a quota."""
    for folder in groups_of(pid):
        for name in ("cpu.max", "cpu.cfs_quota_us"):
            file = Path(folder, name)
            if file.exists():
                text = file.read_text().split()[0]
                return -1 if text == "max" else int(text)
    return -1


KILLED = """
import os, re, signal, subprocess, sys, time
from amptalk import create_resource_manager

child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
manager = create_resource_manager(max_memory_mb=4000, max_cpu_percent=90, handling="enforce")
manager.child(child, priority=-1)
manager.start_monitoring()
print(child.pid, open(f"/proc/{child.pid}/oom_score_adj").read().strip(), flush=True)
guardian = int(re.search(r"a guardian .process (\\d+)", " ".join(manager.notices()))[1])
os.kill(guardian, signal.SIGKILL)
while os.path.exists(f"/proc/{guardian}"):
    time.sleep(0.01)
os.kill(os.getpid(), signal.SIGKILL)
"""


@grouped
def test_what_a_killed_program_leaves_is_restored_by_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(ELSEWHERE, str(tmp_path / "run"))
    with program(KILLED, tmp_path / "run") as process:
        child, score = map(int, said(process).split())
        assert score > int(Path("/proc/self/oom_score_adj").read_text())
        assert process.wait() == -signal.SIGKILL
        assert groups_of(process.pid)
        around = Path(f"/proc/{child}/cgroup").read_text()
        assert main(["restore", "--dry-run"]) == 1
        assert main(["restore"]) == 0
        assert "processes moved back" in capsys.readouterr().out
        gone(process.pid)
        now = Path(f"/proc/{child}/oom_score_adj").read_text()
        assert now == Path("/proc/self/oom_score_adj").read_text()
        assert Path(f"/proc/{child}/cgroup").read_text() == Path("/proc/self/cgroup").read_text()
        assert around != Path("/proc/self/cgroup").read_text()


@grouped
def test_the_next_start_restores_it_too(tmp_path: Path) -> None:
    with program(KILLED, tmp_path / "run") as killed:
        said(killed)
        assert killed.wait() == -signal.SIGKILL
        with program(HOG, tmp_path / "run") as process:
            assert "undone what was left behind: " in said(process)
        gone(killed.pid)


def only_version_2(tmp_path: Path, pid: int) -> Roots:
    """The machine as if no hierarchy of version 1 were mounted."""
    proc = tmp_path / "proc"
    (proc / "self/ns").mkdir(parents=True)
    lines = Path("/proc/self/mountinfo").read_text().splitlines(keepends=True)
    (proc / "self/mountinfo").write_text("".join(line for line in lines if " cgroup2 " in line))
    os.symlink(os.readlink("/proc/self/ns/pid"), proc / "self/ns/pid")
    os.symlink("/proc/sys", proc / "sys")
    for one in (pid, os.getpid()):
        os.symlink(f"/proc/{one}", proc / str(one))
    return Roots(str(proc), "/sys", "/dev")


def ticks_of(pid: int) -> int:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(words[11]) + int(words[12])


@pytest.mark.parametrize("version", [1, 2])
def test_background_processes_stop_and_go_on(tmp_path: Path, version: int) -> None:
    pid = os.fork()
    if pid == 0:
        while True:
            pass
    roots = Roots() if version == 1 else only_version_2(tmp_path, pid)
    folder = JournalFolder(str(tmp_path / "run"), create=True)
    journal = Journal(folder, identity_of(roots.proc, os.getpid()))
    groups = OwnGroups(roots, journal, lambda: [os.getpid()])
    try:
        hold = Hold(roots, journal, groups, lambda: [os.getpid()], (), lambda: 1.0)
        step = PauseBackground("cpu", BackgroundPause(lambda: [pid]))
        step.begin(hold)
        why = step.available()
        if why is not None:
            pytest.skip(why)
        if groups.place("freezer").version != version:
            pytest.skip(f"no version {version} freezer is mounted here")
        step.apply(0.0)
        still = ticks_of(pid)
        for _ in range(1000):  # some system calls, while which a running process would run
            assert os.path.exists("/proc/self/stat")
        assert ticks_of(pid) == still
        step.undo()
        eventually(lambda: ticks_of(pid) > still, "it goes on")
        assert step.detail.endswith(("cgroup.freeze", "freezer.state"))
    finally:
        groups.leave("freezer")
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert folder.names() == []
    assert groups_of(os.getpid()) == []
