"""A made-up kernel on a real folder: control groups that move processes, files that refuse or lie.

It stands in for `os` in the one module that writes (`kernel.writing`) and in the one that reads
(`sensors.files`). Faults come and go by path.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from amptalk.actuators.kernel import writing
from amptalk.sensors import files
from amptalk.sensors.roots import Roots

PID, START = 4242, 1000
BOOT = "7d1c8b1e-boot"
PAGE = 4096
UNLIMITED = "9223372036854771712"
V1 = {
    "memory": {"memory.limit_in_bytes": UNLIMITED, "memory.usage_in_bytes": "0",
               "memory.force_empty": "", "memory.stat": "total_inactive_file 0\n"},
    "cpu": {"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000", "cpu.shares": "1024"},
    "pids": {"pids.max": "max", "pids.current": "1"},
    "freezer": {"freezer.state": "THAWED"},
}  # fmt: skip
V2 = {
    "memory": {"memory.max": "max", "memory.high": "max", "memory.current": "0",
               "memory.reclaim": "", "memory.pressure": "full avg10=0.00 avg60=0.00 total=0\n",
               "memory.stat": "inactive_file 0\nactive_file 0\npgscan 0\npgsteal 0\n"},
    "cpu": {"cpu.max": "max 100000", "cpu.weight": "100"},
    "pids": {"pids.max": "max", "pids.current": "1"},
}  # fmt: skip


class Fault:
    """What is wrong with one file; nothing by default."""

    def __init__(
        self, number: int = 0, *, at: str = "write", lies: bool = False, short: bool = False,
        vanishes: bool = False, hangs: threading.Event | None = None,
    ) -> None:  # fmt: skip
        self.number = number
        self.at = at
        self.lies = lies
        self.short = short
        self.vanishes = vanishes
        self.hangs = hangs


class Machine:
    """One machine with processes in control groups of version 1 or 2."""

    def __init__(self, root: Path, version: int) -> None:
        self.root = root
        self.version = version
        self.roots = Roots(str(root / "proc"), str(root / "sys"), str(root / "dev"))
        self.faults: dict[str, Fault] = {}
        """By the end of a path."""
        self.log: list[tuple[str, str]] = []
        """Every successful change: what and where."""
        self._open: dict[int, tuple[str, int]] = {}
        self.family: list[int] = []
        """The application's processes, its own first."""
        self.put("proc/sys/kernel/random/boot_id", BOOT + "\n")
        (root / "proc/self/ns").mkdir(parents=True)
        os.symlink("pid:[1]", root / "proc/self/ns/pid")
        self.top = root / "sys/fs/cgroup"
        mounts, lines = [], []
        if version == 2:
            self._fill(self.top, dict.fromkeys(V2, True))
            self.home = self.top / "unit"
            self.make(self.home)
            for name in V2:
                self._add(self.home, name)
            (self.home / "cgroup.controllers").write_text("cpu memory pids\n")
            (self.top / "cgroup.subtree_control").write_text("cpu memory pids\n")
            mounts.append("30 20 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
            lines.append("0::/unit\n")
        else:
            for number, name in enumerate(V1, 1):
                folder = self.top / name
                self.make(folder)
                (folder / "release_agent").write_text("")
                mounts.append(f"{number} 20 0:1 / /sys/fs/cgroup/{name} rw - cgroup x rw,{name}\n")
                self.make(folder / "unit")
                lines.append(f"{number}:{name}:/unit\n")
            self.home = self.top / "memory/unit"
        self.swap(0)
        self.put("proc/self/mountinfo", "".join(mounts))
        self._lines = "".join(lines)
        self.process(PID, START)

    # -- what is there ------------------------------------------------------

    def swap(self, mb: int) -> None:
        """Have swap, all of it free."""
        self.put("proc/meminfo", f"SwapTotal: {mb * 1024} kB\nSwapFree: {mb * 1024} kB\n")

    def put(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def process(
        self, pid: int, start: int = START, *, parent: int = 1, children: tuple[int, ...] = ()
    ) -> None:
        """A process in the groups of `unit`; a child of the application is one of the family."""
        if pid == PID or parent in self.family:
            self.family.append(pid)
        self.put(f"proc/{pid}/stat", f"{pid} (a) S {parent} " + "0 " * 17 + f"{start} 0 0\n")
        self.put(f"proc/{pid}/status", "Name:\ta\nShdPnd:\t0000000000000000\n")
        self.put(f"proc/{pid}/cgroup", self._lines)
        self.put(f"proc/{pid}/oom_score_adj", "0\n")
        self.put(f"proc/{pid}/task/{pid}/children", "".join(f"{child} " for child in children))
        for folder in self._homes():
            with (folder / "cgroup.procs").open("a") as members:
                members.write(f"{pid}\n")

    def end(self, pid: int) -> None:
        """Let a process end."""
        shutil.rmtree(self.root / f"proc/{pid}")
        self.family = [one for one in self.family if one != pid]
        for members in self.top.rglob("cgroup.procs"):
            self._without(members, str(pid))

    def groups(self) -> list[str]:
        """Names of the groups of ours that are there."""
        return sorted(path.name for path in self.top.rglob("amptalk-*") if path.is_dir())

    def members(self, folder: Path | str) -> list[str]:
        return (Path(folder) / "cgroup.procs").read_text().split()

    def text(self, path: str) -> str:
        return (self.root / path).read_text().strip()

    def _homes(self) -> list[Path]:
        return [self.home] if self.version == 2 else [self.top / name / "unit" for name in V1]

    def make(self, folder: Path) -> None:
        """Make a group with the files that the kernel gives it."""
        folder.mkdir(parents=True, exist_ok=True)
        if self.version == 1:
            below = folder.relative_to(self.top).parts[0]
            names = V1[below]
            for name, text in names.items():
                (folder / name).write_text(text + "\n")
            (folder / "cgroup.procs").write_text("")
            return
        handed = (folder.parent / "cgroup.subtree_control").read_text().split()
        self._fill(folder, dict.fromkeys(handed, True))
        for name in handed:
            self._add(folder, name)
        (folder / "cgroup.events").write_text("populated 0\nfrozen 0\n")
        (folder / "cgroup.freeze").write_text("0\n")

    def _fill(self, folder: Path, controllers: dict[str, bool]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cgroup.procs").write_text("")
        (folder / "cgroup.subtree_control").write_text("\n")
        (folder / "cgroup.controllers").write_text(" ".join(controllers) + "\n")

    def _add(self, folder: Path, controller: str) -> None:
        for name, text in V2[controller].items():
            if not (folder / name).exists():
                (folder / name).write_text(text + "\n")

    # -- in the place of `os` -----------------------------------------------

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def fault(self, path: str) -> Fault:
        found = [fault for end, fault in self.faults.items() if path.endswith(end)]
        return found[0] if found else Fault()

    def open(self, path: str, flags: int, *more: int) -> int:
        fault = self.fault(path)
        writing = flags & os.O_WRONLY
        if fault.number and fault.at == "open" and writing:
            raise OSError(fault.number, os.strerror(fault.number))
        fd = os.open(path, flags & ~os.O_TRUNC, *more)
        self._open[fd] = path, flags
        return fd

    def close(self, fd: int) -> None:
        del self._open[fd]
        os.close(fd)

    def read(self, fd: int, size: int) -> bytes:
        fault = self.fault(self._open[fd][0])
        if fault.number and fault.at == "read":
            raise OSError(fault.number, os.strerror(fault.number))
        data = os.read(fd, size)
        return data[: len(data) // 2] if fault.short and fault.at == "read" else data

    def write(self, fd: int, data: bytes) -> int:
        path = self._open[fd][0]
        fault = self.fault(path)
        if fault.at == "write":
            if fault.hangs is not None:
                assert fault.hangs.wait(20.0)
            if fault.vanishes:
                shutil.rmtree(Path(path).parent)
                raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
            if fault.number:
                raise OSError(fault.number, os.strerror(fault.number))
            if fault.short:
                return len(data) - 1
        if not fault.lies:
            self._take(Path(path), data.decode())
            self.log.append((str(Path(path).relative_to(self.root)), data.decode()))
        return len(data)

    def kill(self, pid: int, number: int) -> None:
        """Signals reach made-up processes only."""
        stat = self.root / f"proc/{pid}/stat"
        if not stat.exists():
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
        if number == signal.SIGCONT:
            stat.write_text(stat.read_text().replace(" T ", " S ", 1))
        self.log.append((f"proc/{pid}", signal.Signals(number).name))

    def mkdir(self, path: str, mode: int) -> None:
        fault = self.fault(path)
        if fault.number and fault.at == "mkdir":
            raise OSError(fault.number, os.strerror(fault.number))
        if os.path.exists(path):
            raise FileExistsError(errno.EEXIST, path)
        self.make(Path(path))
        self.log.append((str(Path(path).relative_to(self.root)), "mkdir"))

    def rmdir(self, path: str) -> None:
        fault = self.fault(path)
        if fault.number and fault.at == "rmdir":
            raise OSError(fault.number, os.strerror(fault.number))
        folder = Path(path)
        if not folder.exists():
            raise FileNotFoundError(errno.ENOENT, path)
        if self.members(folder) or any(child.is_dir() for child in folder.iterdir()):
            raise OSError(errno.EBUSY, path)
        shutil.rmtree(folder)
        self.log.append((str(folder.relative_to(self.root)), "rmdir"))

    def _take(self, path: Path, text: str) -> None:
        """What the kernel makes of a text."""
        if path.name == "cgroup.procs":
            self._move(path, text)
        elif path.name == "cgroup.subtree_control":
            self._hand_down(path, text)
        elif path.name == "memory.limit_in_bytes":
            path.write_text((UNLIMITED if text == "-1" else str(_page(text))) + "\n")
        elif path.name in {"memory.max", "memory.high"} and text != "max":
            path.write_text(f"{_page(text)}\n")
        elif path.name not in {"memory.reclaim", "memory.force_empty"}:
            path.write_text(text + "\n")
            if path.name == "cgroup.freeze":
                (path.parent / "cgroup.events").write_text(f"populated 1\nfrozen {text}\n")

    def _move(self, path: Path, pid: str) -> None:
        if not (self.root / f"proc/{pid}").exists():
            raise OSError(errno.ESRCH, os.strerror(errno.ESRCH))
        if self.version == 2 and (path.parent / "cgroup.subtree_control").read_text().split():
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        hierarchy = self.top / path.relative_to(self.top).parts[0]
        for members in (self.top if self.version == 2 else hierarchy).rglob("cgroup.procs"):
            self._without(members, pid)
        with path.open("a") as file:
            file.write(pid + "\n")

    def _hand_down(self, path: Path, text: str) -> None:
        folder = path.parent
        if folder != self.top and self.members(folder) and "+" in text:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        listed = set(path.read_text().split())
        for word in text.split():
            (listed.add if word[0] == "+" else listed.discard)(word[1:])
        path.write_text(" ".join(sorted(listed)) + "\n")
        for child in folder.iterdir():
            if child.is_dir():
                (child / "cgroup.controllers").write_text(" ".join(sorted(listed)) + "\n")
                for controller in listed:
                    self._add(child, controller)

    @staticmethod
    def _without(members: Path, pid: str) -> None:
        kept = [line for line in members.read_text().split() if line != pid]
        members.write_text("".join(f"{line}\n" for line in kept))


def _page(text: str) -> int:
    return int(text) // PAGE * PAGE


@pytest.fixture(params=[1, 2], ids=["v1", "v2"])
def machine(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Machine:
    """A machine with its groups in version 1 and in version 2, one after the other."""
    made = Machine(tmp_path, request.param)
    monkeypatch.setattr(writing, "os", made)
    monkeypatch.setattr(files, "os", made)
    return made
