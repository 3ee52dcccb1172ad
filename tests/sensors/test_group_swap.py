"""Swapped memory of a control group, and the RAM it takes in zram without being charged."""

import pytest

from tests.sensors.test_container import (
    V1_MOUNTS,
    V2_MOUNT,
    v1_cpu,
    v1_group,
    v1_roots,
    v2_group,
)
from tests.sensors.test_swapspace import meminfo, swaps, with_zram
from tests.sensors.trees import MEMINFO, Tree, check_reasons, opened

MB = 2**20
GROUP = "sys/fs/cgroup/me"


@pytest.fixture
def group(tree: Tree) -> Tree:
    """A version 2 group with 100 MB, 20 of them inactive files, and 60 MB swapped."""
    tree.cgroups("0::/me\n", V2_MOUNT)
    v2_group(tree, "/me", memory=100, cache=20, limit=400)
    tree.put(f"{GROUP}/memory.swap.current", f"{60 * MB}\n")
    return tree


def test_what_lies_in_zram_still_occupies_memory(group: Tree) -> None:
    with_zram(group, 300, 100)
    with opened(group.suite("container")) as suite:
        sample = suite.read()
        check_reasons(sample)
    container = sample.container
    assert container.swap_mb == 60
    assert container.memory_usage_mb == 100  # the kernel's charge stays what it is
    assert container.working_set_mb == 80 + 20 == sample.memory_used_mb  # a naive reader: 80
    assert container.memory_percent == 20  # of the kernel's limit, as the kernel counts
    assert "RAM of swapped memory" in sample.provenance["memory_used_mb"].source
    assert suite.capacity.memory_mb == 400  # swap adds nothing


def test_without_a_limit_the_percent_is_of_the_device_and_counts_it(group: Tree) -> None:
    with_zram(group, 300, 100)
    v2_group(group, "/me", memory=100, cache=20)
    group.put(f"{GROUP}/memory.swap.current", f"{60 * MB}\n")
    with opened(group.suite("container")) as suite:
        sample = suite.read()
    assert sample.memory_percent == pytest.approx(100 * 100 / (8000000 / 1024))


def test_what_lies_on_a_disk_occupies_none(group: Tree) -> None:
    with opened(group.suite("container")) as suite:
        sample = suite.read()
    assert (sample.container.swap_mb, sample.container.working_set_mb) == (60, 80)


def test_zswap_is_charged_already_and_not_counted_twice(group: Tree) -> None:
    group.put("proc/meminfo", meminfo(300, zswap=(20, 60)))
    group.put("proc/swaps", swaps(("/dev/zram0", "partition", 300, 5)))
    group.put("sys/block/zram0/mm_stat", f"{240 * MB} 0 {80 * MB} 0 0 0 0\n")
    stat = f"anon 1\ninactive_file {20 * MB}\nzswap {20 * MB}\nzswapped {60 * MB}\n"
    group.put(f"{GROUP}/memory.stat", stat)
    with opened(group.suite("container")) as suite:
        assert suite.read().container.working_set_mb == 80  # all 60 MB are in zswap
        group.put(f"{GROUP}/memory.swap.current", f"{90 * MB}\n")
        group.clock.advance(5)
        container = suite.read().container
    assert (container.swap_mb, container.working_set_mb) == (90, 90)  # 30 MB at 80 / 240


def test_a_kernel_that_does_not_count_swap_of_groups_is_a_reason(group: Tree) -> None:
    group.remove("sys/fs/cgroup/me/memory.swap.current")
    with opened(group.suite("container")) as suite:
        sample = suite.read()
        check_reasons(sample)
        assert "memory.swap.current" in sample.missing["container.swap_mb"]
        assert sample.container.working_set_mb == 80
    group.put("proc/meminfo", MEMINFO.replace("2000000", "0").replace("1500000", "0"))
    with opened(group.suite("container")) as suite:
        assert suite.read().container.swap_mb == 0  # without swap space there is nothing to count


@pytest.mark.parametrize("line", [f"total_swap {60 * MB}\n", ""])
def test_version_1_says_it_where_it_counts_swap(tree: Tree, line: str) -> None:
    with_zram(tree, 300, 100)
    tree.cgroups("5:memory:/me\n4:cpu,cpuacct:/me\n", V1_MOUNTS)
    v1_roots(tree)
    v1_group(tree, "/me", memory=100, cache=20)
    v1_cpu(tree, "/me")
    tree.put("sys/fs/cgroup/memory/me/memory.stat", f"swap 1\ntotal_inactive_file 0\n{line}")
    with opened(tree.suite("container")) as suite:
        sample = suite.read()
        check_reasons(sample)
        (report,) = [one for one in suite.describe() if one.name == "container swap"]
    if line:
        assert (sample.container.swap_mb, sample.container.working_set_mb) == (60, 120)
    else:
        assert "total_swap" in sample.missing["container.swap_mb"]
        assert "swapaccount=1" in report.remedy
        assert sample.container.working_set_mb == 100
