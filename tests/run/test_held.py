"""Limits that hold, what is said of them, and that nothing is left (about 17 s).

As root the kernel holds them; as an ordinary user without groups of its own affinity does, and what
nothing holds is asked for.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import eventually
from tests.integration.enforcing import groups_of, why_not
from tests.run.support import NOBODY, RUN, Done, amptalk_run, environment, ordinary_user

WHY_NOT = why_not("memory", "cpu")
held = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
ordinary = pytest.mark.skipif(bool(ordinary_user()), reason=ordinary_user() or "-")

GROWS = """
import sys, time
kept = []
while len(kept) < int(sys.argv[1]):
    kept.append(bytearray(4 << 20))
    time.sleep(float(sys.argv[2]))
"""
LEAKS = """
import os
kept = [bytearray(4 << 20) for _ in range(28)]
os.read(int(os.environ["AMPTALK_EVENTS_FD"]), 1)  # by now it was seen and asked
while True:
    kept.append(bytearray(4 << 20))
"""
FIRST = """
import select
kept = bytearray(22 << 20)
print("held", flush=True)
gone = select.poll()
gone.register(1, 0)
gone.poll(30000)
"""
"""Holds its memory until nobody reads what it writes."""
SECOND = """
heard = input()
kept = bytearray(52 << 20)
print("both", heard)
"""
"""Holds its own once the other does, and is the larger one by then when both are too much: so the
kernel takes the one that asks. It takes the other, too, when that asks again before the memory of
the first is free."""
BURNS = """
import os, sys, time
for _ in range(int(sys.argv[1]) - 1):
    if os.fork() == 0:
        break
until = time.monotonic() + float(sys.argv[2])
while time.monotonic() < until:
    pass
"""


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "run"


def python(code: str, *arguments: object) -> list[str]:
    return ["--", sys.executable, "-c", code, *map(str, arguments)]


def nothing_is_left(journal: Path, pid: int) -> None:
    assert not [name for name in os.listdir(journal) if name.endswith((".json", ".new"))]
    assert not groups_of(pid)


@held
def test_a_leak_is_ended_by_the_kernel_at_the_limit_and_that_is_explained(journal: Path) -> None:
    done = amptalk_run(journal, "--memory", "128M", "--interval", "0.1", *python(LEAKS))
    assert done.status == -signal.SIGKILL
    enforced, why, *rest = done.said
    assert re.fullmatch(r"memory 128 MB: ENFORCED by /\S+ 128 MB \(read back\)", enforced)
    assert re.match(
        r"killed by the kernel: memory limit 128 MB reached at [\d:]+, anonymous 1\d\d MB when "
        r"last measured", why,
    )  # fmt: skip
    assert "killed by the kernel at the memory limit: 1" in rest
    nothing_is_left(journal, done.pid)


@held
def test_within_its_limit_a_program_meets_nothing(journal: Path) -> None:
    done = amptalk_run(journal, "--json", "--memory", "256M", *python(GROWS, 10, 0.2))
    assert done.status == 0
    assert done.json["kernel_kills"] == 0
    assert done.json["explanation"] is None
    assert 40 <= done.json["charged_mb"] <= 100
    assert done.json["limits"][0]["state"] == "ENFORCED"


@held
def test_a_child_that_is_killed_does_not_end_the_program_and_is_told(journal: Path) -> None:
    code = f"python3 -c '{GROWS}' 40 0.01; echo went on after $?"
    done = amptalk_run(journal, "--memory", "64M", "--", "sh", "-c", code)
    assert done.status == 0
    assert "went on after 137" in done.out
    assert any(line.startswith("the kernel killed 1 of its processes: ") for line in done.said)


@held
def test_a_limit_is_that_of_a_whole_pipeline(journal: Path) -> None:
    """Either part stays below it, both together do not."""
    pipeline = " | ".join(f"'{sys.executable}' -c '{part}'" for part in (FIRST, SECOND))
    shell = ("--", "sh", "-c", f"{pipeline}; echo went on")
    fits = amptalk_run(journal, "--json", "--memory", "128M", *shell)
    assert fits.out.splitlines() == ["both held", "went on"]
    assert fits.json["kernel_kills"] == 0
    assert 80 <= fits.json["charged_mb"] <= 128
    done = amptalk_run(journal, "--memory", "64M", *shell)
    assert done.status == 0
    assert "went on" in done.out
    assert re.match(
        "the kernel killed 1 of its processes: memory limit 64 MB reached at ", done.said[1]
    )
    nothing_is_left(journal, done.pid)


@held
def test_the_quota_is_told_three_ways_and_bites(journal: Path) -> None:
    done = amptalk_run(journal, "--json", "--cpus", "25%", *python(BURNS, 2, 2.0))
    cores = len(os.sched_getaffinity(0))
    line = done.json["limits"][0]
    assert line["limit"] == f"25 % = {cores / 4:.3g} of {cores} cores = CPUQuota={cores * 25}%"
    assert line["state"] == "ENFORCED"
    assert done.json["cpu_seconds"] / done.json["seconds"] <= 1.2 * cores / 4
    nothing_is_left(journal, done.pid)


@held
@pytest.mark.parametrize("after", [0.0, 0.1, 0.3, 0.6])
def test_when_we_are_killed_at_any_time_nothing_is_left(journal: Path, after: float) -> None:
    with subprocess.Popen(
        [*RUN, "--memory", "100M", "--cpus", "50%", "--", "sleep", "600"],
        env=environment(journal), stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            process.kill()
        process.wait(20)

    def clean() -> bool:
        names = os.listdir(journal) if journal.exists() else []
        entries = [name for name in names if name.endswith(".json")]
        return not entries and not groups_of(process.pid)

    eventually(clean, "the guardian has undone everything")


@ordinary
def test_an_ordinary_user_is_told_what_holds_and_what_would(journal: Path) -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two processors")
    done = amptalk_run(
        journal, "--memory", "100M", "--cpus", "1", *python("import os; print(os.environ)"),
        user=NOBODY,
    )  # fmt: skip
    memory, cpu, *_ = done.said
    assert memory.startswith("memory 100 MB: ASKED by $MEMORY_PRESSURE_WATCH and descriptor ")
    assert "; not enforced: " in memory
    assert "ENFORCED by affinity to 1 core (read back), as long as the program does not" in cpu
    assert "'OMP_NUM_THREADS': '1'" in done.out


@ordinary
def test_a_core_that_nothing_holds_is_asked_for_and_the_way_to_hold_it_is_told(
    journal: Path,
) -> None:
    done = amptalk_run(journal, "--cpus", "0.5", *python("pass"), user=NOBODY)
    assert "ASKED by descriptor" in done.said[0]
    assert "affinity leaves it 1 core at most; --pace would hold it" in done.said[0]


@ordinary
def test_pacing_holds_what_affinity_cannot(journal: Path) -> None:
    done: Done = amptalk_run(
        journal, "--json", "--cpus", "0.5", "--pace", *python(BURNS, 3, 3.0), user=NOBODY
    )
    assert done.status == 0
    assert "ENFORCED" in done.json["limits"][0]["state"]
    used = done.json["cpu_seconds"] / done.json["seconds"]
    assert 0.1 <= used <= 0.6  # less on a busy machine
    assert os.listdir(journal) == []
