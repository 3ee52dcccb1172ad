"""What is swapped of the application: memory that compressed swap still occupies, and faults."""

import pytest

from amptalk.sensors import exact
from amptalk.sensors.procstat import read_stat
from amptalk.sensors.suite import SensorSuite
from tests.helpers import eventually
from tests.sensors.test_processes import child
from tests.sensors.test_swapspace import ZRAM, meminfo, mm_stat, swaps, with_zram
from tests.sensors.trees import PID, ROLLUP, SWAPS, SWAPS_HEAD, Tree, check_reasons, opened


def rollup(swapped_mb: int) -> str:
    """Swap counts shared pages in every process, SwapPss once."""
    text = ROLLUP.replace("Swap:               2000", f"Swap: {swapped_mb * 2048}")
    return text.replace("1000 kB", f"{swapped_mb * 1024} kB")


def test_memory_pushed_to_zram_is_not_freed(tree: Tree) -> None:
    with_zram(tree, 300, 100)
    tree.process(PID, rollup=rollup(150))
    with opened(tree.suite()) as suite:
        sample = suite.read()
        check_reasons(sample)
    application = sample.application
    assert application.swap_mb == 150
    assert application.swap_ram_mb == 50
    assert application.memory_mb == 70000 / 1024 + 50  # a naive reader says 50 less
    assert application.anonymous_mb == 60000 / 1024
    assert sample.memory_used_mb == application.memory_mb
    assert sample.memory_percent == pytest.approx(100 * application.memory_mb / (8000000 / 1024))
    assert "RAM of swapped memory" in sample.provenance["memory_used_mb"].source
    assert sample.provenance["application.swap_ram_mb"].method == "derived"


def test_memory_on_a_disk_is_freed_and_shown_apart(tree: Tree) -> None:
    tree.process(PID, rollup=rollup(150))
    with opened(tree.suite()) as suite:
        application = suite.read().application
    assert (application.swap_mb, application.swap_ram_mb) == (150, 0)
    assert application.memory_mb == 70000 / 1024


def test_with_zram_and_a_disk_the_share_is_an_estimate(tree: Tree) -> None:
    tree.put("proc/meminfo", meminfo(400))
    tree.put("proc/swaps", swaps(("/dev/zram0", "partition", 300, 100),
                                 ("/dev/sda1", "partition", 100, -2)))  # fmt: skip
    tree.put(f"{ZRAM}/mm_stat", mm_stat(300, 100))
    tree.process(PID, rollup=rollup(40))
    with opened(tree.suite()) as suite:
        sample = suite.read()
    assert sample.application.swap_ram_mb == 10  # 100 MB of RAM for 400 MB swapped
    assert sample.provenance["application.swap_ram_mb"].method == "estimated"
    assert sample.provenance["memory_used_mb"].method == "estimated"


def test_where_nobody_says_where_swap_lies_memory_leaves_it_out_and_says_so(tree: Tree) -> None:
    tree.remove("proc/swaps")
    with opened(tree.suite()) as suite:
        sample = suite.read()
        check_reasons(sample)
        assert "swaps does not exist" in sample.missing["application.swap_ram_mb"]
        assert sample.application.memory_mb == 70000 / 1024
        origin = sample.provenance["memory_used_mb"]
        assert (origin.method, "left out" in origin.source) == ("estimated", True)
        tree.put("proc/swaps", SWAPS_HEAD)
        tree.clock.advance(5)
        sample = suite.read()
        assert "names no area" in sample.missing["application.swap_ram_mb"]
        tree.put("proc/swaps", SWAPS)
        tree.clock.advance(5)
        sample = suite.read()
        check_reasons(sample)
        assert sample.application.swap_ram_mb == 0


def test_a_better_compression_is_followed_at_the_5_s_cadence(tree: Tree) -> None:
    with_zram(tree, 300, 100)
    tree.process(PID, rollup=rollup(150))
    with opened(tree.suite()) as suite:
        tree.clock.advance(1)
        suite.read()
        tree.put(f"{ZRAM}/mm_stat", mm_stat(300, 50))
        tree.clock.advance(5)
        assert suite.read().application.swap_ram_mb == 25


def test_growing_swap_of_the_device_brings_an_exact_pass_sooner(tree: Tree) -> None:
    with_zram(tree, 300, 100)
    tree.process(PID, rollup=rollup(0))
    with opened(tree.suite()) as suite:
        tree.clock.advance(2)
        assert suite.read().application.swap_mb == 0
        tree.process(PID, resident_mb=40, rollup=rollup(60))  # swapped out, as statm shows
        tree.clock.advance(2)
        assert suite.read().application.swap_mb == 0  # nothing tells yet; the next is in 60 s
        tree.put("proc/meminfo", meminfo(300 + int(exact._NOTABLE_SWAP) + 1))
        suite.read()
        tree.clock.advance(2)
        sample = suite.read()
        assert sample.application.swap_mb == 60
        assert sample.application.swap_ram_mb == pytest.approx(20)


def test_unknown_swap_of_the_device_brings_no_passes(tree: Tree) -> None:
    with opened(tree.suite()) as suite:
        suite.read()
        tree.put("proc/meminfo", "")
        tree.process(PID, rollup=rollup(60))
        for _ in range(4):
            tree.clock.advance(3)
            suite.read()
        assert suite.read().application.swap_mb == 1000 / 1024


def test_swap_is_no_capacity_whatever_its_size(tree: Tree) -> None:
    with opened(with_zram(tree).suite()) as suite:
        assert suite.capacity.memory_mb == 8000000 / 1024
        assert suite.capacity.memory_reason == "total memory of the device"
        assert suite.read().device.swap_total_mb == 2000000 / 1024


def faulted(tree: Tree, pid: int, own: int, waited: int, parent: int = 1) -> None:
    """Put major faults of a process and of the children it has waited for into its `stat`."""
    path = f"proc/{pid}/stat"
    head, _, rest = (tree.root / path).read_text().rpartition(")")
    words = rest.split()
    words[1], words[9], words[10] = str(parent), str(own), str(waited)
    tree.put(path, f"{head}) {' '.join(words)}\n")


def test_major_faults_are_those_of_the_tree_and_what_ended_is_not_counted_twice(
    tree: Tree,
) -> None:
    tree.process(5000, PID)
    tree.process(PID, children=(5000,))
    faulted(tree, PID, 1000, 0)
    faulted(tree, 5000, 200, 0, PID)
    with opened(tree.suite()) as suite:
        assert "250 ms" in suite.read().missing["application.major_faults_s"]
        tree.clock.advance(1)
        assert suite.read().application.major_faults_s == 0.0  # not the 1200 of the past
        faulted(tree, PID, 1010, 0)
        faulted(tree, 5000, 240, 0, PID)
        tree.clock.advance(5)
        sample = suite.read()
        assert sample.application.major_faults_s == 10
        assert sample.provenance["application.major_faults_s"].method == "measured"
        for name in ("statm", "stat", "smaps_rollup"):
            tree.remove(f"proc/5000/{name}")
        tree.put(f"proc/{PID}/task/{PID}/children", "")
        faulted(tree, PID, 1010, 240)  # it has waited for the child
        tree.clock.advance(5)
        assert suite.read().application.major_faults_s == 0.0


def test_a_real_process_that_reads_a_dropped_file_has_major_faults() -> None:
    code = """
        import mmap, os, tempfile, time
        file = tempfile.TemporaryFile(dir="/var/tmp")
        file.write(b"1" * (1 << 20)); file.flush(); os.fsync(file.fileno())
        view = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        view.madvise(mmap.MADV_RANDOM)
        print(1, flush=True)
        while True:
            view.madvise(mmap.MADV_DONTNEED)
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            sum(view[at] for at in range(0, len(view), 4096))
            time.sleep(0.02)
    """
    with child(code) as process:
        assert process.stdout is not None
        process.stdout.readline()
        first = read_stat("/proc", process.pid).major_faults

        def has_faulted() -> bool:
            return read_stat("/proc", process.pid).major_faults > first + 20

        with opened(SensorSuite(pid=process.pid)) as suite:
            try:
                eventually(has_faulted, "major faults", 3)
            except AssertionError:
                pytest.skip("this file system keeps its pages when told to drop them")
            eventually(lambda: suite.read().application.major_faults_s > 0, "a rate of faults")
            assert suite.read().device.major_faults_s > 0
