"""The application's processes, memory and CPU, on made-up trees."""

import math

import pytest

from amptalk.sensors.process import Process
from amptalk.sensors.processes import AT_MOST
from amptalk.sensors.procstat import ProcessStat
from tests.sensors.trees import PID, ROLLUP, Tree, check_reasons, opened


def test_memory_is_anonymous_and_shared_memory_counted_once(tree: Tree) -> None:
    with opened(tree.suite()) as suite:
        sample = suite.read()
    application = sample.application
    assert application.anonymous_mb == 60000 / 1024
    assert application.shared_mb == 10000 / 1024
    assert application.memory_mb == 70000 / 1024 == sample.memory_used_mb
    assert application.file_mb == 30000 / 1024
    assert application.pss_mb == 100000 / 1024
    assert application.swap_mb == 1000 / 1024
    assert application.rss_mb == 100
    assert sample.memory_percent == pytest.approx(100 * 70000 / 8000000)
    assert sample.provenance["memory_used_mb"].method == "derived"
    assert sample.provenance["application.pss_mb"].method == "measured"


def test_memory_grows_with_anonymous_memory_between_exact_readings(tree: Tree) -> None:
    with opened(tree.suite()) as suite:
        tree.process(PID, resident_mb=110)
        tree.clock.advance(1)
        sample = suite.read()
        assert sample.application.memory_mb == pytest.approx(70000 / 1024 + 10)
        assert sample.age("memory_used_mb") == pytest.approx(1)
        tree.process(PID, resident_mb=60)
        assert suite.read().application.memory_mb == pytest.approx(70000 / 1024 - 40)


def test_memory_is_never_below_zero_and_what_grows_anew_is_counted_in_full(tree: Tree) -> None:
    with opened(tree.suite()) as suite:
        tree.process(PID, resident_mb=35)  # 5 MiB anonymous, less than others are charged with
        assert suite.read().application.anonymous_mb == 0.0
        tree.process(PID, resident_mb=135)
        assert suite.read().application.anonymous_mb == 100.0


def test_shared_memory_that_was_let_go_is_not_counted_any_more(tree: Tree) -> None:
    with opened(tree.suite()) as suite:
        tree.process(PID, resident_mb=72, shared_mb=2)
        assert suite.read().application.memory_mb == pytest.approx(60000 / 1024 + 2)
        tree.process(PID, resident_mb=72, shared_mb=2, rollup=ROLLUP.replace("10000 kB", "1000 kB"))
        tree.clock.advance(30)  # far less than 60 s: 28 MiB less of shared pages is worth a look
        assert suite.read().application.shared_mb == pytest.approx(1000 / 1024)


def test_exact_memory_is_read_again_after_60_s(tree: Tree) -> None:
    with opened(tree.suite()) as suite:
        tree.put(f"proc/{PID}/smaps_rollup", ROLLUP.replace("60000", "61000"))
        tree.clock.advance(59)
        assert suite.read().application.anonymous_mb == 60000 / 1024
        tree.clock.advance(1)
        assert suite.read().application.anonymous_mb == 61000 / 1024


def test_exact_memory_is_read_sooner_when_shared_pages_have_grown(tree: Tree) -> None:
    with opened(tree.suite()) as suite:
        tree.put(f"proc/{PID}/smaps_rollup", ROLLUP.replace("10000", "40000"))
        tree.process(PID, resident_mb=140, shared_mb=70, rollup=None)
        tree.clock.advance(0.5)
        assert suite.read().application.shared_mb == 10000 / 1024
        tree.clock.advance(30)
        assert suite.read().application.shared_mb == 40000 / 1024


def test_exact_memory_is_watched_while_processes_share_much(tree: Tree) -> None:
    sharing = ROLLUP.replace("71680", "174080")  # 170 MiB, of which 60 000 KiB by share
    tree.process(PID, resident_mb=200, rollup=sharing)
    with opened(tree.suite()) as suite:
        tree.put(f"proc/{PID}/smaps_rollup", sharing.replace("60000", "90000"))
        tree.clock.advance(30)
        assert suite.read().application.anonymous_mb == 90000 / 1024


def test_a_new_process_is_a_bound_until_the_exact_reading(tree: Tree) -> None:
    with opened(tree.suite()) as suite:
        alone = "Pss: 10000 kB\nPss_Anon: 10000 kB\nPss_File: 0 kB\nPss_Shmem: 0 kB\n"
        alone += "Anonymous: 10000 kB\nSwapPss: 0 kB\n"
        tree.process(5000, PID, resident_mb=50, shared_mb=0, rollup=alone)
        tree.process(PID, children=(5000,))
        sample = suite.read()
        assert sample.application.processes == 2
        assert sample.application.rss_mb == 150
        assert sample.application.memory_mb == pytest.approx(70000 / 1024 + 50)
        assert sample.provenance["memory_used_mb"].method == "estimated"
        assert "upper bound" in sample.provenance["memory_used_mb"].source
        tree.clock.advance(30)
        sample = suite.read()
        assert sample.application.memory_mb == pytest.approx(70000 / 1024 + 50)
        assert sample.application.pss_mb == pytest.approx(110000 / 1024)
        assert sample.provenance["memory_used_mb"].method == "derived"


def test_refining_reads_exactly_at_once(tree: Tree) -> None:
    with opened(tree.suite()) as suite:
        tree.put(f"proc/{PID}/smaps_rollup", ROLLUP.replace("60000", "61000"))
        tree.clock.advance(1)
        suite.read()
        assert suite.rates_fresh
        assert suite.refine_memory().application.anonymous_mb == 61000 / 1024
        assert suite.rates_fresh


def test_refining_is_limited_by_its_cost(tree: Tree) -> None:
    with opened(tree.suite()) as suite:
        tree.clock.advance(1)
        suite.refine_memory()
        tree.put(f"proc/{PID}/smaps_rollup", ROLLUP.replace("60000", "61000"))
        assert suite.refine_memory().application.anonymous_mb == 60000 / 1024
        tree.clock.advance(5)
        assert suite.refine_memory().application.anonymous_mb == 61000 / 1024


def test_old_kernels_without_pss_anon_give_an_upper_bound(tree: Tree) -> None:
    lines = [line for line in ROLLUP.splitlines(True) if "Pss_" not in line]
    tree.process(PID, rollup="".join(lines))
    tree.put(f"proc/{PID}/status", "Name: x\nRssShmem:\t 5000 kB\n")
    with opened(tree.suite()) as suite:
        sample = suite.read()
    assert sample.application.memory_mb == 70 + 5000 / 1024
    assert sample.application.file_mb == pytest.approx((100000 - 71680 - 5000) / 1024)
    assert sample.provenance["memory_used_mb"].method == "estimated"


def test_old_kernels_without_pss_anon_take_no_more_than_the_proportional_set(tree: Tree) -> None:
    rollup = "Pss: 50000 kB\nAnonymous: 71680 kB\nSwapPss: 0 kB\n"
    tree.process(PID, rollup=rollup)
    tree.put(f"proc/{PID}/status", "Name: x\nRssShmem:\t 5000 kB\n")
    with opened(tree.suite()) as suite:
        assert suite.read().application.memory_mb == pytest.approx(50000 / 1024)


def test_without_smaps_rollup_memory_is_the_resident_set_by_kind(tree: Tree) -> None:
    tree.remove(f"proc/{PID}/smaps_rollup")
    tree.put(
        f"proc/{PID}/status",
        "RssAnon: 71680 kB\nRssShmem: 5000 kB\nRssFile: 15000 kB\nVmSwap: 7 kB\n",
    )
    with opened(tree.suite()) as suite:
        sample = suite.read()
    check_reasons(sample)
    assert sample.application.memory_mb == 70 + 5000 / 1024
    assert sample.application.file_mb == 15000 / 1024
    assert "smaps_rollup does not exist" in sample.missing["application.pss_mb"]
    assert sample.provenance["memory_used_mb"].method == "estimated"


def test_without_any_detail_memory_is_the_resident_set_but_for_shared_pages(tree: Tree) -> None:
    tree.remove(f"proc/{PID}/smaps_rollup")
    with opened(tree.suite()) as suite:
        sample = suite.read()
    check_reasons(sample)
    assert sample.application.memory_mb == 70
    assert sample.provenance["memory_used_mb"].source.startswith("statm")


def test_descendants_are_found_and_excluded_ones_left_out_with_theirs(tree: Tree) -> None:
    tree.process(5002, 5001, resident_mb=10)
    tree.process(5001, PID, resident_mb=10, children=(5002,))
    tree.process(5000, PID, resident_mb=10)
    tree.process(PID, children=(5000, 5001))
    with opened(tree.suite()) as suite:
        assert suite.read().application.processes == 4
        suite.exclude(5001)
        sample = suite.read()
        assert sample.application.processes == 2
        assert sample.application.rss_mb == 110
        suite.reopen()
        assert suite.read().application.processes == 2


def test_children_are_found_by_scanning_where_the_kernel_lists_none(tree: Tree) -> None:
    (tree.root / f"proc/{PID}/task/{PID}/children").unlink()
    tree.process(5000, PID, resident_mb=10)
    tree.process(5001, 5000, resident_mb=10)
    tree.process(6000, 1, resident_mb=10)
    with opened(tree.suite()) as suite:
        assert suite.read().application.processes == 3
        tree.process(5002, 5001, resident_mb=10)
        tree.clock.advance(60)
        assert suite.read().application.processes == 4


def test_children_of_other_threads_are_found_within_5_s(tree: Tree) -> None:
    with opened(tree.suite()) as suite:
        tree.process(5000, PID)
        tree.put(f"proc/{PID}/task/4243/children", "5000 ")
        assert suite.read().application.processes == 1
        tree.clock.advance(5)
        assert suite.read().application.processes == 2


def test_a_zombie_is_not_a_living_process(tree: Tree) -> None:
    tree.process(5000, PID, resident_mb=0, shared_mb=0)
    tree.process(PID, children=(5000,))
    with opened(tree.suite()) as suite:
        assert suite.read().application.processes == 1


def test_a_pid_used_again_is_another_process(tree: Tree) -> None:
    tree.process(5000, PID, utime=5000, start=100)
    tree.process(PID, children=(5000,))
    with opened(tree.suite()) as suite:
        tree.clock.advance(1)
        suite.read()
        tree.process(5000, PID, utime=9000, start=200)
        tree.clock.advance(5)
        suite.read()
        tree.clock.advance(1)
        assert suite.read().application.cpu_cores == 0.0


def test_cpu_sums_processes_and_a_reaped_child_neither_steps_back_nor_jumps(tree: Tree) -> None:
    tree.process(5000, PID, utime=1000)
    tree.process(PID, children=(5000,), utime=100)
    with opened(tree.suite()) as suite:
        tree.process(5000, PID, utime=1100)
        tree.clock.advance(2)
        assert suite.read().application.cpu_cores == pytest.approx(0.5)
        for name in ("statm", "stat", "smaps_rollup", "task/5000/children"):
            tree.remove(f"proc/5000/{name}")
        tree.process(PID, utime=100, cutime=1110)  # 10 ms more than was seen of the child
        tree.clock.advance(1)
        rates = []
        for _ in range(3):
            rates.append(suite.read().application.cpu_cores)
            tree.clock.advance(1)
        assert sum(rates) == pytest.approx(0.1)
        assert min(rates) >= 0.0


def test_cpu_cannot_be_more_than_the_machine_has(tree: Tree) -> None:
    with opened(tree.suite()) as suite:
        tree.process(PID, utime=100_000)
        tree.clock.advance(1)
        sample = suite.read()
    assert sample.application.cpu_cores == 2.0
    assert sample.cpu_percent == 100.0


def test_what_is_waited_for_counts_only_beyond_what_was_seen() -> None:
    process = Process("/proc", 1, ProcessStat(0, 0, 0.0, 10.0, 0), keep=False)
    process.owed = 3.0
    assert process.settle(10.0) == 0.0  # the child was gone, but its time has not arrived
    assert process.settle(14.0) == pytest.approx(1.0)
    assert process.settle(15.0) == pytest.approx(1.0)
    process.owed = 5.0  # a child whose time never arrives, such as one nobody waits for
    assert process.settle(15.0) == process.settle(15.0) == 0.0
    assert process.settle(16.0) == pytest.approx(1.0)
    assert process.settle(9.0) == 0.0


def test_many_descendants_are_read_in_turns(tree: Tree) -> None:
    pids = tuple(range(5000, 5000 + 3 * AT_MOST))
    for pid in pids:
        tree.process(pid, PID, resident_mb=1, shared_mb=0)
    tree.process(PID, children=pids)
    with opened(tree.suite()) as suite:
        assert suite.read().application.processes == len(pids) + 1
        for pid in pids:
            tree.process(pid, PID, resident_mb=2, shared_mb=0)
        sums = [suite.read().application.rss_mb for _ in range(3)]
        assert sums == [100 + len(pids) + turn * AT_MOST for turn in (1, 2, 3)]
        assert len(suite.files_read()) < AT_MOST + 16


def test_a_process_that_has_ended_is_a_reason_and_found_when_it_is_back(tree: Tree) -> None:
    with opened(tree.suite()) as suite:
        for name in ("statm", "stat"):
            (tree.root / f"proc/{PID}/{name}").write_text("")
        sample = suite.read()
        check_reasons(sample)
        assert f"{PID}/statm" in sample.missing["memory_used_mb"]
        assert not math.isnan(sample.device.memory_used_mb)
        tree.process(PID)
        tree.clock.advance(5)
        assert suite.read().application.rss_mb == 100
