"""CPU, memory, pressure, swapping and load of the whole machine."""

import errno
import math
import os
import time
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amptalk.sensors.cpu import CpuSource
from amptalk.sensors.memory import MemorySource
from amptalk.sensors.report import Notes
from amptalk.sensors.roots import Roots
from amptalk.sensors.suite import SensorSuite
from tests.sensors.trees import (
    MEMINFO,
    STAT,
    VMSTAT,
    Tree,
    check_reasons,
    failing,
    opened,
    psi,
    until,
)


def test_memory_used_is_total_minus_available(tree: Tree) -> None:
    with opened(tree.suite("device")) as suite:
        sample = suite.read()
    assert sample.device.memory_total_mb == 8000000 / 1024
    assert sample.device.memory_available_mb == 6000000 / 1024
    assert sample.device.memory_used_mb == 2000000 / 1024
    assert sample.memory_percent == 25.0
    assert sample.device.swap_used_mb == 500000 / 1024
    assert "device.memory_used_mb" not in sample.provenance


def test_memory_follows_numbers_that_change_their_width_and_lines_that_move(tree: Tree) -> None:
    with opened(tree.suite("device")) as suite:
        suite.read()
        tree.put("proc/meminfo", MEMINFO.replace("   6000000", "600000000").replace(
            "   8000000", "800000000"))  # fmt: skip
        assert suite.read().device.memory_available_mb == 600000000 / 1024
        tree.put("proc/meminfo", "Extra:   1 kB\n" + MEMINFO.replace("6000000", "5000000"))
        assert suite.read().device.memory_available_mb == 5000000 / 1024
        tree.put("proc/meminfo", MEMINFO.replace("SwapFree:        1500000", "SwapFree: 15000000"))
        assert suite.read().device.swap_used_mb == 0.0


@pytest.mark.parametrize(
    "line", ["MemAvailable:          0 kB\n", "MemAvailable:    9000000 kB\n", ""]
)
def test_unusable_available_memory_is_estimated_and_says_so(tree: Tree, line: str) -> None:
    tree.put("proc/meminfo", MEMINFO.replace("MemAvailable:    6000000 kB\n", line))
    with opened(tree.suite("device")) as suite:
        sample = suite.read()
        expected = (1000000 + 100000 + 2000000 + 200000 - 300000) / 1024
        assert sample.device.memory_available_mb == expected
        assert sample.provenance["device.memory_used_mb"].method == "estimated"
        assert sample.provenance["memory_used_mb"].method == "estimated"
        assert suite.read().provenance is sample.provenance
        tree.put("proc/meminfo", MEMINFO)
        assert "device.memory_used_mb" not in suite.read().provenance


@pytest.mark.parametrize("text", ["", "nonsense", "MemTotal: many kB\n", "MemTotal: 5 kB\n"])
def test_garbled_meminfo_is_a_reason_and_found_again_at_the_slow_cadence(
    tree: Tree, text: str
) -> None:
    with opened(tree.suite("device")) as suite:
        tree.clock.advance(1)
        suite.read()
        tree.put("proc/meminfo", text)
        sample = suite.read()
        check_reasons(sample)
        assert "meminfo" in sample.missing["memory_used_mb"]
        assert not math.isnan(sample.device.cpu_count)
        tree.put("proc/meminfo", MEMINFO)
        tree.clock.advance(6)
        assert suite.read().memory_percent == 25.0


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=400))
def test_no_meminfo_whatever_raises_or_gives_part_of_the_values(
    tmp_path: Path, data: bytes
) -> None:
    (tmp_path / "proc").mkdir(exist_ok=True)
    (tmp_path / "proc/meminfo").write_bytes(data)
    notes = Notes({})
    source = MemorySource(Roots(str(tmp_path / "proc")), notes)
    values = source.read(0.0)
    source.close()
    assert all(map(math.isnan, values)) == source.lost


def cpu_text(busy: int, idle: int, cores: tuple[int, ...] = (0, 1)) -> str:
    lines = [f"cpu{core} {busy} 0 0 {idle} 0 0 0 0 0 0\n" for core in cores]
    total = f"cpu  {busy * len(cores)} 0 0 {idle * len(cores)} 0 0 0 0 0 0\n"
    return total + "".join(lines) + "intr 1\nctxt 1\n"


def test_cpu_counts_waiting_as_idle_steal_as_busy_and_guest_once(tree: Tree) -> None:
    with opened(tree.suite("device")) as suite:
        tree.put(
            "proc/stat",
            "cpu  0 0 0 0 0 0 0 0 0 0\n"
            "cpu0 120 0 50 830 70 0 0 10 45 0\n"  # 20 user (guest), 10 steal, 30 idle, 20 waiting
            "cpu1 100 0 50 900 50 0 0 0 25 0\n"
            "intr 1\n",
        )
        tree.clock.advance(1)
        sample = suite.read()
    assert sample.cpu_percent_per_core == pytest.approx((37.5, 0.0))
    assert sample.cpu_percent == pytest.approx(100 * 30 / 180)


def test_cpu_rates_need_50_ms_of_history_and_are_renewed_after_250(tree: Tree) -> None:
    tree.put("proc/stat", cpu_text(0, 0))
    with opened(tree.suite("device")) as suite:
        tree.clock.advance(0.04)
        sample = suite.read()
        assert "50 ms of history" in sample.missing["cpu_percent"]
        assert not suite.rates_fresh
        check_reasons(sample)
        tree.put("proc/stat", cpu_text(5, 5))
        tree.clock.advance(0.02)
        assert suite.read().cpu_percent == 50.0
        assert suite.rates_fresh
        tree.put("proc/stat", cpu_text(15, 5))
        tree.clock.advance(0.2)
        assert suite.read().cpu_percent == 50.0
        assert not suite.rates_fresh
        tree.clock.advance(0.05)
        assert suite.read().cpu_percent == 100.0
        assert suite.rates_fresh


def test_cpu_counters_that_step_back_never_give_less_than_nothing(tree: Tree) -> None:
    tree.put("proc/stat", cpu_text(100, 100))
    with opened(tree.suite("device")) as suite:
        tree.put("proc/stat", cpu_text(90, 150))
        tree.clock.advance(1)
        assert suite.read().cpu_percent == 0.0
        tree.put("proc/stat", cpu_text(140, 140))
        tree.clock.advance(1)
        assert suite.read().cpu_percent == 100.0


def test_a_core_keeps_its_place_while_others_go_and_come(tree: Tree) -> None:
    tree.put("proc/stat", cpu_text(0, 0))
    with opened(tree.suite("device")) as suite:

        def cores(busy: int, idle: int, *online: int) -> tuple[float, ...]:
            tree.put("proc/stat", cpu_text(busy, idle, cores=online))
            tree.clock.advance(1)
            sample = suite.read()
            assert sample.device.cpu_count == len(online)
            assert all(
                0 <= one <= 100 for one in sample.cpu_percent_per_core if not math.isnan(one)
            )
            return sample.cpu_percent_per_core

        assert cores(5, 5, 0) == pytest.approx((50, math.nan), nan_ok=True)
        assert cores(5, 15, 0, 1) == pytest.approx((0, math.nan), nan_ok=True)  # its first rate
        assert cores(15, 15, 0, 1) == (100, 100)
        assert cores(15, 25, 1) == pytest.approx((math.nan, 0), nan_ok=True)  # no cpu0 in the list
        assert cores(25, 25, 1) == pytest.approx((math.nan, 100), nan_ok=True)  # not (100,)


@given(
    st.lists(
        st.tuples(st.sets(st.integers(0, 5), min_size=1), st.integers(0, 30), st.integers(-3, 30)),
        min_size=1,
        max_size=8,
    )
)
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rates_stay_between_0_and_100_whatever_goes_comes_and_steps_back(
    tmp_path: Path, steps: list[tuple[set[int], int, int]]
) -> None:
    (tmp_path / "proc").mkdir(exist_ok=True)
    source = CpuSource(Roots(str(tmp_path / "proc")), Notes({}))
    busy, idle, seen = 100, 100, 0
    for online, more_busy, more_idle in steps:
        busy, idle, seen = busy + more_busy, idle + more_idle, max(seen, *online)
        (tmp_path / "proc/stat").write_text(cpu_text(busy, idle, tuple(sorted(online))))
        source.renew()
        for number, rate in enumerate(source.per_core):
            assert math.isnan(rate) or (0 <= rate <= 100 and number <= seen)
        assert math.isnan(source.percent) or 0 <= source.percent <= 100
        assert source.cores == len(online)
    source.close()


@pytest.mark.parametrize("text", ["", "cpu 1 2\n", "cpu  1 2 3 4\nintr 1\n", "x\nintr\n"])
def test_garbled_stat_is_a_reason_and_found_again(tree: Tree, text: str) -> None:
    with opened(tree.suite("device")) as suite:
        tree.put("proc/stat", text)
        tree.clock.advance(1)
        sample = suite.read()
        check_reasons(sample)
        assert "/proc/stat" in sample.missing["device.cpu_percent"]
        assert sample.memory_percent == 25.0
        tree.put("proc/stat", STAT)
        tree.clock.advance(1)
        assert "history" in suite.read().missing["device.cpu_percent"]


def test_pressure_is_the_share_of_the_interval(tree: Tree) -> None:
    with opened(tree.suite()) as suite:
        tree.put("proc/pressure/cpu", psi(1000 + 200_000))
        tree.put("proc/pressure/memory", psi(2000 + 500_000, 500 + 100_000))
        tree.put("proc/pressure/io", psi(0))  # steps back
        tree.clock.advance(2)
        device = suite.read().device
    assert device.pressure_cpu_percent == pytest.approx(10)
    assert device.pressure_memory_percent == pytest.approx(25)
    assert device.pressure_memory_full_percent == pytest.approx(5)
    assert device.pressure_io_percent == 0.0


def test_absent_pressure_names_the_boot_option_and_is_found_when_it_comes(tree: Tree) -> None:
    for kind in ("cpu", "memory", "io"):
        tree.remove(f"proc/pressure/{kind}")
    with opened(tree.suite()) as suite:
        tree.clock.advance(1)
        sample = suite.read()
        check_reasons(sample)
        assert "off in this kernel" in sample.missing["device.pressure_memory_full_percent"]
        (report,) = [one for one in suite.describe() if one.name == "device io pressure"]
        assert "psi=1" in report.remedy
        tree.put("proc/pressure/io", psi(0))
        tree.clock.advance(5)
        suite.read()
        tree.put("proc/pressure/io", psi(500_000))
        tree.clock.advance(1)
        assert suite.read().device.pressure_io_percent == pytest.approx(50)


def test_pressure_switched_off_by_the_kernel_names_the_boot_option(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, f"{tree.roots.proc}/pressure/cpu", errno.EOPNOTSUPP)
    with opened(tree.suite()) as suite:
        tree.clock.advance(1)
        sample = suite.read()
        assert "switched off" in sample.missing["device.pressure_cpu_percent"]
        assert sample.device.pressure_io_percent == 0.0
        (report,) = [one for one in suite.describe() if one.name == "device cpu pressure"]
        assert "psi=1" in report.remedy


def test_swapping_and_refaults_are_rates_in_mb(tree: Tree) -> None:
    with opened(tree.suite()) as suite:
        pages = 2**20 // os.sysconf("SC_PAGE_SIZE")
        tree.clock.advance(0.1)
        assert "250 ms" in suite.read().missing["device.swap_in_mb_s"]
        tree.put("proc/vmstat", VMSTAT.replace("pswpin 5", f"pswpin {5 + pages * 10}").replace(
            "pswpout 7", f"pswpout {7 + pages * 20}").replace(
            "refault_file 20", f"refault_file {20 + pages * 30}"))  # fmt: skip
        tree.clock.advance(1.9)
        sample = suite.read()
        assert sample.device.swap_in_mb_s == pytest.approx(5)
        assert sample.device.swap_out_mb_s == pytest.approx(10)
        assert sample.device.refault_mb_s == pytest.approx(15)
        tree.clock.advance(1)
        assert suite.read().age("device.swap_in_mb_s") == pytest.approx(1)


def test_swapping_reads_old_kernels_and_lines_added_before_its_own(tree: Tree) -> None:
    old = "workingset_refault 4\npswpin 0\npswpout 0\npgmajfault 1\nx 1\n"
    tree.put("proc/vmstat", old)
    with opened(tree.suite()) as suite:
        pages = 2**20 // os.sysconf("SC_PAGE_SIZE")
        padding = "".join(f"nr_something_{n} 123456789\n" for n in range(100))
        tree.put("proc/vmstat", padding + old.replace("refault 4", f"refault {4 + pages}"))
        tree.clock.advance(1)
        assert suite.read().device.refault_mb_s == pytest.approx(1)


def test_vmstat_without_a_counter_is_a_reason(tree: Tree) -> None:
    tree.put("proc/vmstat", "pswpin 0\npswpout 0\n")
    with opened(tree.suite()) as suite:
        tree.clock.advance(1)
        sample = suite.read()
        check_reasons(sample)
        assert "workingset_refault" in sample.missing["device.refault_mb_s"]


def test_the_real_machine_agrees_with_psutil() -> None:
    with opened(SensorSuite("device")) as suite:
        psutil.cpu_percent()
        begun = time.monotonic()
        until(lambda: time.monotonic() - begun > 0.5)
        theirs, mine = psutil.cpu_percent(), suite.read()
        memory = psutil.virtual_memory()
        assert mine.cpu_percent == pytest.approx(theirs, abs=15)
        assert len(mine.cpu_percent_per_core) == psutil.cpu_count()
        assert mine.device.memory_total_mb == memory.total / 2**20
        assert mine.device.memory_available_mb == pytest.approx(memory.available / 2**20, rel=0.05)
        assert mine.device.swap_total_mb == psutil.swap_memory().total / 2**20
        assert mine.device.cpu_count == psutil.cpu_count()
        assert mine.device.load_1m == pytest.approx(psutil.getloadavg()[0], abs=0.5)
        check_reasons(mine)
