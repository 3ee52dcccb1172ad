"""Rates of swapping, refaults and major faults, and what counts as slow for want of memory."""

import math
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.model.sample import FIELDS, INDEX, Sample
from amptalk.sensors.thrashing import SWAP_MB_S, SWAP_RAM_MB_S, memory_findings
from amptalk.sensors.throttling_readers import Finding
from tests.sensors.test_swapspace import meminfo, with_zram
from tests.sensors.trees import VMSTAT, Tree, check_reasons, opened

PAGES = 2**20 // os.sysconf("SC_PAGE_SIZE")
ZSWAP = "zswpin {}\nzswpout {}\nzswpwb {}\n"


def found(**device: float) -> dict[str, Finding]:
    """The findings by cause; what is not given is nothing."""
    row = [math.nan] * len(FIELDS)
    usual = dict.fromkeys(("pressure_memory_full_percent", "swap_in_mb_s", "swap_out_mb_s",
                           "swap_compressed_mb", "swap_disk_mb", "refault_file_mb_s",
                           "major_faults_s"), 0.0)  # fmt: skip
    for name, value in {**usual, **device}.items():
        row[INDEX[f"device.{name}"]] = value
    return {one.cause: one for one in memory_findings(Sample(0.0, 0.0, tuple(row)))}


def test_file_refaults_and_major_faults_are_told_apart_from_anonymous_ones(tree: Tree) -> None:
    with opened(tree.suite()) as suite:
        suite.read()
        tree.clock.advance(1)
        suite.read()
        text = VMSTAT.replace("anon 10", f"anon {10 + 10 * PAGES}").replace(
            "file 20", f"file {20 + 30 * PAGES}").replace("fault 100", "fault 1100")  # fmt: skip
        tree.put("proc/vmstat", text)
        tree.clock.advance(5)
        sample = suite.read()
        check_reasons(sample)
    assert sample.device.refault_mb_s == pytest.approx(8)
    assert sample.device.refault_file_mb_s == pytest.approx(6)
    assert sample.device.major_faults_s == pytest.approx(200)
    assert sample.device.swap_in_mb_s == 0.0  # no swap has anything to do with it


def test_before_5_9_refaults_are_those_of_files(tree: Tree) -> None:
    old = "workingset_refault {}\npswpin 0\npswpout 0\npgmajfault 1\n"
    tree.put("proc/vmstat", old.format(0))
    with opened(tree.suite()) as suite:
        tree.put("proc/vmstat", old.format(5 * PAGES))
        tree.clock.advance(5)
        device = suite.read().device
    assert device.refault_mb_s == device.refault_file_mb_s == pytest.approx(1)


def test_pages_in_zswap_count_as_swapped_and_not_again_when_it_writes_them(tree: Tree) -> None:
    tree.put("proc/meminfo", meminfo(500, zswap=(60, 180)))
    tree.put("proc/vmstat", VMSTAT + ZSWAP.format(0, 1000 * PAGES, 0))
    with opened(tree.suite()) as suite:
        tree.clock.advance(1)
        suite.read()
        # 50 MB to zswap, of which 20 went on to the disk; 10 MB came back
        written = VMSTAT.replace("pswpout 7", f"pswpout {7 + 20 * PAGES}")
        tree.put("proc/vmstat", written + ZSWAP.format(10 * PAGES, 1050 * PAGES, 20 * PAGES))
        tree.clock.advance(5)
        device = suite.read().device
    assert device.swap_out_mb_s == pytest.approx(10)  # not 4, nor 14
    assert device.swap_in_mb_s == pytest.approx(2)


def test_zswap_that_begins_to_hold_something_brings_no_burst_of_its_past(tree: Tree) -> None:
    tree.put("proc/meminfo", meminfo(500, zswap=(0, 0)))
    tree.put("proc/vmstat", VMSTAT + ZSWAP.format(0, 1000 * PAGES, 0))
    with opened(tree.suite()) as suite:
        tree.clock.advance(1)
        suite.read()
        tree.put("proc/meminfo", meminfo(500, zswap=(60, 180)))
        suite.read()
        tree.clock.advance(5)
        sample = suite.read()
        check_reasons(sample)
        assert math.isnan(sample.device.swap_out_mb_s)
        tree.clock.advance(5)
        assert suite.read().device.swap_out_mb_s == 0.0


def test_swap_names_where_it_goes() -> None:
    swap = found(swap_in_mb_s=15, swap_out_mb_s=10, swap_disk_mb=5)["swap"]
    assert (swap.seen, swap.text) == (True, "15.0 MB/s in and 10.0 MB/s out, on disk")
    swap = found(swap_in_mb_s=15, swap_out_mb_s=10, swap_compressed_mb=5)["swap"]
    assert (swap.seen, swap.text) == (True, "15.0 MB/s in and 10.0 MB/s out, compressed in RAM")
    swap = found(swap_in_mb_s=1, swap_out_mb_s=1, swap_compressed_mb=5, swap_disk_mb=1)["swap"]
    assert "compressed in RAM and on disk" in swap.text
    swap = found(swap_in_mb_s=5, swap_disk_mb=math.nan, swap_compressed_mb=math.nan)["swap"]
    assert (swap.seen, swap.text) == (True, "5.0 MB/s in and 0.0 MB/s out")


@given(rate=st.floats(0, 100), compressed=st.floats(0, 100), disk=st.sampled_from([0.0, 1.0]))
def test_compressed_swap_counts_from_a_higher_rate(
    rate: float, compressed: float, disk: float
) -> None:
    swap = found(swap_out_mb_s=rate, swap_compressed_mb=compressed, swap_disk_mb=disk)["swap"]
    limit = SWAP_RAM_MB_S if compressed > 0 and disk == 0 else SWAP_MB_S
    assert swap.seen is (rate >= limit)
    assert bool(swap.text) is swap.seen


def test_mapped_files_thrash_without_swap_and_without_pressure_information() -> None:
    thrashing = {"refault_file_mb_s": 30.0, "major_faults_s": 400.0}
    pressure = found(**thrashing, pressure_memory_full_percent=math.nan)["memory pressure"]
    assert pressure.seen
    assert pressure.text == "file pages are read again at 30.0 MB/s, 400 major faults a second"
    both = found(**thrashing, pressure_memory_full_percent=40)["memory pressure"]
    assert both.text == f"every task waited for memory 40 % of the time; {pressure.text}"


def test_a_big_file_read_from_end_to_end_is_no_thrashing() -> None:
    assert not found(refault_file_mb_s=300.0, major_faults_s=0.0)["memory pressure"].seen
    assert not found(refault_file_mb_s=0.0, major_faults_s=500.0)["memory pressure"].seen


def test_without_pressure_information_nothing_is_claimed_clear() -> None:
    pressure = found(pressure_memory_full_percent=math.nan)["memory pressure"]
    assert (pressure.seen, pressure.text) == (False, "it has no value")
    assert found(swap_in_mb_s=math.nan)["swap"].text == "it has no value"
    assert found()["swap"] == Finding("swap", seen=False, text="")


def test_the_verdict_of_a_pi_whose_swap_is_compressed_says_so(tree: Tree) -> None:
    with opened(with_zram(tree).suite()) as suite:
        tree.clock.advance(1)
        suite.read()
        tree.put("proc/vmstat", VMSTAT.replace("pswpout 7", f"pswpout {7 + 150 * PAGES}"))
        tree.clock.advance(5)
        suite.read()
        (reason,) = suite.throttling().reasons
    assert reason == "swap: 0.0 MB/s in and 30.0 MB/s out, compressed in RAM"
