"""The page on sensors keeps its word, and the traps of memory and processes that it names."""

from __future__ import annotations

import re

import pytest

from amptalk.sensors.suite import SensorSuite
from tests.helpers import ROOT, output_of
from tests.sensors.trees import MEMINFO, PID, STAT, Tree, opened

PAGE = (ROOT / "docs" / "sensors.md").read_text(encoding="utf-8")
SENSORS = {
    *(
        "RAM",
        "Process",
        "cgroup v2",
        "cgroup v1",
        "cgroup both",
        "container",
        "CPU",
        "PSI",
        "zram",
        "zswap",
        "swap",
    ),
    *(
        "RAPL",
        "INA3221 old",
        "INA3221 new",
        "Raspberry Pi",
        "Jetson",
        "AMD",
        "Intel",
        "AMD, Intel",
        "NVML",
    ),
    *("Battery", "hwmon", "thermal", "cpufreq", "throttle counters"),
}
"""What the page must have at least one trap for."""


def rows() -> list[list[str]]:
    """The table of traps: sensor, trap, naive value, tests."""
    table = PAGE.partition("## What goes wrong elsewhere")[2].partition("\nAny file")[0]
    lines = [line for line in table.splitlines() if line.startswith("| ")][1:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_sensor_has_its_traps_and_each_of_them_a_naive_value_and_a_test() -> None:
    assert {row[0] for row in rows()} == SENSORS
    for row in rows():
        assert len(row) == 4, row
        assert all(row), row
        assert re.fullmatch(r"`test_\w+`(, `test_\w+`)*", row[3]), row


def test_every_test_that_the_page_names_is_there() -> None:
    defined = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 50
    assert named <= defined, f"not there: {sorted(named - defined)}"


def test_every_file_that_the_page_names_is_there() -> None:
    for path in re.findall(r"`((?:benchmarks|tests)/[\w/.]+)`", PAGE):
        assert (ROOT / path).exists(), path


def test_a_key_without_a_blank_behind_its_colon_is_read(tree: Tree) -> None:
    """psutil#2809: a reader that splits at white space finds no second word."""
    tree.put("proc/meminfo", MEMINFO.replace("MemTotal:        8", "MemTotal:8"))
    with opened(tree.suite("device")) as suite:
        assert suite.read().device.memory_total_mb == 8000000 / 1024


def test_a_process_may_be_called_as_it_likes(tree: Tree) -> None:
    line = (tree.root / f"proc/{PID}/stat").read_text()
    name = "(x) S 9 9 (y"
    tree.put(f"proc/{PID}/stat", f"{PID} ({name}) {line.rpartition(')')[2].strip()}\n")
    assert (tree.root / f"proc/{PID}/stat").read_text().split()[3:5] == [
        "9",
        "9",
    ]  # naive: parent 9
    with opened(tree.suite()) as suite:
        tree.clock.advance(1)
        sample = suite.read()
    assert sample.application.cpu_cores == 0
    assert sample.application.processes == 1


@pytest.mark.parametrize("size", [4096, 16384, 65536])
def test_pages_have_the_size_that_the_kernel_says(tree: Tree, size: int) -> None:
    tree.put(f"proc/{PID}/statm", "2000 1000 200 1 0 1 0\n")
    tree.remove(f"proc/{PID}/smaps_rollup")
    code = (
        "import os, sys\n"
        "real = os.sysconf\n"
        "os.sysconf = lambda name: int(sys.argv[2]) if name == 'SC_PAGE_SIZE' else real(name)\n"
        "from amptalk.clock import VirtualClock\n"
        "from amptalk.sensors.roots import Roots\n"
        "from amptalk.sensors.suite import SensorSuite\n"
        "roots = Roots(sys.argv[1] + '/proc', sys.argv[1] + '/sys')\n"
        f"suite = SensorSuite('application', VirtualClock(), roots, pid={PID})\n"
        "print(*suite.read().application[:2])\n"
    )
    memory, resident = map(float, output_of(code, str(tree.root), str(size)).split())
    assert resident == 1000 * size / 2**20  # naive: 3.9 MB whatever the size
    assert memory == 800 * size / 2**20


def test_two_suites_do_not_take_each_other_s_interval(tree: Tree) -> None:
    """psutil keeps one state for all callers of a thread: the second sees almost no time."""

    def busy(ticks: int) -> None:
        core = f"{{}} {100 + ticks} 0 50 {800 + ticks} 50 0 0 0 25 0\n"
        lines = [f"cpu  {200 + 2 * ticks} 0 100 {1600 + 2 * ticks} 100 0 0 0 50 0\n"]
        lines += [core.format(name) for name in ("cpu0", "cpu1")]
        tree.put("proc/stat", "".join(lines) + STAT[STAT.index("intr") :])

    def read(suite: SensorSuite) -> float:
        return suite.read().device.cpu_percent

    with opened(tree.suite()) as first, opened(tree.suite()) as second:
        busy(100)
        tree.clock.advance(1)
        assert read(first) == read(second) == 50
