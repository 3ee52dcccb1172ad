"""SIGKILL of `amptalk run` at random instants of every part of a run: nothing is left (about 15 s).

The instants are drawn from a seed. In `start` it comes within the first half second, before the
program began or just after; in `running` while it is watched; in `breach` while the program goes
through its memory limit; in `end` around the program's own end.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import eventually
from tests.integration.enforcing import groups_of, why_not
from tests.run.support import RUN, environment

WHY_NOT = why_not("memory", "cpu")
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)

SEED, TIMES = 20261127, 4
STAYS = "print('begun', flush=True)\nimport time; time.sleep(600)"
LEAVES = (
    "import os, time\n"
    "if os.fork() == 0:\n    os.setsid(); print(os.getpid(), flush=True); time.sleep(600)\n"
    "time.sleep(600)"
)
GROWS = (
    "print('begun', flush=True)\nimport time\nkept = []\n"
    "while True: kept.append(bytearray(4 << 20)); time.sleep(0.02)"
)
ENDS = "print('begun', flush=True)\nimport time; time.sleep(0.3)"
PARTS: dict[str, tuple[str, bool, float, float]] = {
    "start": (STAYS, False, 0.0, 0.5),
    "running": (STAYS, True, 0.0, 1.0),
    "breach": (GROWS, True, 0.0, 0.6),
    "end": (ENDS, True, 0.25, 0.45),
}
"""What runs, whether the time counts from its first word, and the range of seconds."""
_DRAWN = random.Random(SEED)
INSTANTS = [
    (part, round(_DRAWN.uniform(low, high), 3))
    for part, (_, _, low, high) in PARTS.items()
    for _ in range(TIMES)
]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "run"


def started(journal: Path, code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*RUN, "--quiet", "--memory", "60M", "--cpus", "50%", "--interval", "0.1",
         "--on-breach", "stop", "--", sys.executable, "-c", code],
        env=environment(journal), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip


def killed(process: subprocess.Popen[str], after: float) -> None:
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        process.kill()
    process.wait(20)


def nothing_is_left(journal: Path, pid: int) -> None:
    def clean() -> bool:
        return not (groups_of(pid) or (journal.exists() and os.listdir(journal)))

    eventually(clean, "the guardian has undone everything")


@pytest.mark.parametrize(("part", "after"), INSTANTS)
def test_at_any_instant_the_program_ends_and_nothing_is_left(
    journal: Path, part: str, after: float
) -> None:
    code, spoken, _, _ = PARTS[part]
    with started(journal, code) as process:
        assert process.stdout is not None
        if spoken:
            assert process.stdout.readline() == "begun\n"
        killed(process, after)
        # The program has the other end: it is closed when the program has ended, too.
        assert process.stdout.read() in {"", "begun\n"}
    nothing_is_left(journal, process.pid)


def test_what_the_program_had_started_goes_on_without_limits(journal: Path) -> None:
    with started(journal, LEAVES) as process:
        assert process.stdout is not None
        left = int(process.stdout.readline())
        try:
            assert "/amptalk-" in Path(f"/proc/{left}/cgroup").read_text()
            killed(process, 0.0)
            nothing_is_left(journal, process.pid)
            assert "/amptalk-" not in Path(f"/proc/{left}/cgroup").read_text()
        finally:
            os.kill(left, signal.SIGKILL)
