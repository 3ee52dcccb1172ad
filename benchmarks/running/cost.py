"""What `amptalk run` costs: until the program starts, at its end, and while it runs at 1 Hz."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.running.peers import AMPTALK, FOR_ALL, ROOT, journal

START_MS, RUNNING_PERCENT, PSS_MB = 60.0, 0.2, 25.0
LIMITS = ("--quiet", "--memory", "1G", "--cpus", "50%")
MEMORY_FOLDER = "/dev/shm"
"""In memory, as `/run` is, where the journal is kept."""
_HZ = os.sysconf("SC_CLK_TCK")


def costs(*, quick: bool) -> list[str]:
    """A table of figure, target and what was measured."""
    rounds, seconds = (3, 3.0) if quick else (61, 30.0)
    pythons = dict.fromkeys((FOR_ALL, sys.executable))
    with journal(None, MEMORY_FOLDER) as path:
        environment = _environment(path)
        starts = [row for python in pythons for row in _starts(python, environment, rounds)]
        cpu, pss = _running(environment, seconds)
    return [
        "| | measured | target |", "|---|---|---|", *starts,
        f"| running at 1 Hz, a program that sleeps, {seconds:g} s | {cpu:.2f} % of a core"
        f"{_missed(cpu, RUNNING_PERCENT)} | ≤ {RUNNING_PERCENT:g} % |",
        f"| memory of amptalk and its guardian (PSS) | {pss:.1f} MiB{_missed(pss, PSS_MB)} | "
        f"≤ {PSS_MB:g} MiB |",
    ]  # fmt: skip


def _starts(python: str, environment: dict[str, str], rounds: int) -> list[str]:
    """Rows of what a start takes with one interpreter, all ways by turns."""
    bare = [python, "-c", "import os, sys; os.execvp(sys.argv[1], sys.argv[1:])"]
    ours = [python, *AMPTALK[1:], *LIMITS, "--"]
    _until_start(ours, environment)  # which writes the bytecode
    times = [
        (_until_start([], environment), _until_start(bare, environment),
         _until_start(ours, environment))
        for _ in range(rounds)
    ]  # fmt: skip
    fastest, median = ([summary(column) for column in zip(*times, strict=True)]
                       for summary in (min, statistics.median))  # fmt: skip
    start = fastest[2] - fastest[0]
    name = python if python == FOR_ALL else "this benchmark's Python"
    return [
        f"| start beyond the program's own, {name}, fastest of {rounds} | {start:.0f} ms"
        f"{_missed(start, START_MS)} | ≤ {START_MS:g} ms |",
        f"| the same, median | {median[2] - median[0]:.0f} ms | |",
        f"| of which that interpreter alone, fastest | {fastest[1] - fastest[0]:.0f} ms | |",
    ]


def _environment(path: str) -> dict[str, str]:
    """As where the package is installed: its bytecode is there, pip has compiled it."""
    plain = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {
        **plain, "AMPTALK_RUN_DIR": path, "PYTHONPATH": str(ROOT / "src"),
        "PYTHONPYCACHEPREFIX": f"{path}-bytecode",
    }  # fmt: skip


def _until_start(before: list[str], environment: dict[str, str]) -> float:
    """Milliseconds until the program itself tells the time."""
    begun = time.time()
    done = subprocess.run([*before, "date", "+%s.%N"], env=environment, capture_output=True,
                          text=True, check=True)  # fmt: skip
    return (float(done.stdout) - begun) * 1000.0


def _running(environment: dict[str, str], seconds: float) -> tuple[float, float]:
    """Percent of a core, and MiB, of amptalk and its guardian beside a program that sleeps."""
    with subprocess.Popen([*AMPTALK, *LIMITS, "--", "sleep", "600"], env=environment) as process:
        time.sleep(4.0)
        pids = [process.pid, *_guardians(process.pid)]
        before = sum(map(_ticks, pids))
        time.sleep(seconds)
        used = sum(map(_ticks, pids)) - before
        pss = sum(map(_pss, pids))
        process.terminate()
    return 100.0 * used / _HZ / seconds, pss


def _guardians(pid: int) -> list[int]:
    """Processes with the same command that are no child of it: its guardian."""
    command = Path(f"/proc/{pid}/cmdline").read_bytes()
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != pid:
            try:
                if Path(f"/proc/{name}/cmdline").read_bytes() == command:
                    found.append(int(name))
            except OSError:
                continue
    return found


def _ticks(pid: int) -> int:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(words[11]) + int(words[12])


def _pss(pid: int) -> float:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(text.partition("\nPss:")[2].split()[0]) / 1024.0


def _missed(value: float, target: float) -> str:
    return " MISSED" if value > target else ""
