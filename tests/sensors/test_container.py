"""Control groups: version 1, version 2, both at once, namespaces, and a real one."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from amptalk.model.errors import ScopeError
from amptalk.sensors.suite import SensorSuite
from tests.sensors.trees import PID, Tree, check_reasons, opened, until

MB = 2**20
NO_LIMIT_V1 = 9223372036854771712
V2_MOUNT = "30 20 0:1 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
V1_MOUNTS = "".join(
    f"{number} 20 0:{number} / /sys/fs/cgroup/{folder} rw - cgroup cgroup rw,{options}\n"
    for number, folder, options in ((31, "memory", "memory"), (32, "cpu", "cpu,cpuacct"))
)


def v2_group(
    tree: Tree,
    path: str,
    *,
    memory: float | None = 100,
    limit: float | None = None,
    cache: float = 0,
    quota: str | None = "max 100000",
    used: int = 0,
    throttled: int = 0,
) -> None:
    folder = f"sys/fs/cgroup{path}"
    tree.put(f"{folder}/cgroup.events", "populated 1\n")
    if memory is not None:
        tree.put(f"{folder}/memory.current", f"{int(memory * MB)}\n")
        tree.put(f"{folder}/memory.max", "max\n" if limit is None else f"{int(limit * MB)}\n")
        tree.put(f"{folder}/memory.stat", f"anon 1\ninactive_file {int(cache * MB)}\n")
        tree.put(f"{folder}/memory.swap.current", "0\n")
        tree.put(f"{folder}/memory.events", "low 0\noom 4\noom_kill 3\noom_group_kill 0\n")
    if quota is not None:
        tree.put(f"{folder}/cpu.max", f"{quota}\n")
    stat = f"usage_usec {used}\nuser_usec 1\nnr_throttled 5\nthrottled_usec {throttled}\n"
    tree.put(f"{folder}/cpu.stat", stat)


def v1_group(
    tree: Tree, path: str, *, memory: float = 100, limit: float | None = None, cache: float = 0
) -> None:
    folder = f"sys/fs/cgroup/memory{path}"
    tree.put(f"{folder}/memory.usage_in_bytes", f"{int(memory * MB)}\n")
    text = NO_LIMIT_V1 if limit is None else int(limit * MB)
    tree.put(f"{folder}/memory.limit_in_bytes", f"{text}\n")
    cached = f"inactive_file 1\ntotal_inactive_file {int(cache * MB)}\n"
    tree.put(f"{folder}/memory.stat", f"{cached}total_swap 0\n")
    tree.put(f"{folder}/memory.oom_control", "oom_kill_disable 0\nunder_oom 1\noom_kill 2\n")


def v1_cpu(
    tree: Tree, path: str, *, used_ns: int = 0, quota: int = -1, throttled_ns: int = 0
) -> None:
    folder = f"sys/fs/cgroup/cpu{path}"
    tree.put(f"{folder}/cpuacct.usage", f"{used_ns}\n")
    tree.put(f"{folder}/cpu.cfs_quota_us", f"{quota}\n")
    tree.put(f"{folder}/cpu.cfs_period_us", "100000\n")
    stat = f"nr_periods 9\nnr_throttled 5\nthrottled_time {throttled_ns}\n"
    tree.put(f"{folder}/cpu.stat", stat)


def v1_roots(tree: Tree) -> None:
    v1_group(tree, "", memory=5000)
    v1_cpu(tree, "")
    for folder in ("memory", "cpu"):
        tree.put(f"sys/fs/cgroup/{folder}/release_agent", "\n")


def test_version_2_gives_working_set_limit_quota_and_kills(tree: Tree) -> None:
    tree.cgroups("0::/app.slice/me\n", V2_MOUNT)
    v2_group(tree, "/app.slice")
    v2_group(tree, "/app.slice/me", memory=100, limit=400, cache=20, quota="50000 100000")
    with opened(tree.suite("container")) as suite:
        v2_group(
            tree, "/app.slice/me", memory=100, limit=400, cache=20, quota="50000 100000",
            used=250_000, throttled=100_000,
        )  # fmt: skip
        tree.clock.advance(1)
        sample = suite.read()
        check_reasons(sample)
        container = sample.container
        assert container.memory_usage_mb == 100
        assert container.working_set_mb == 80 == sample.memory_used_mb
        assert container.memory_limit_mb == 400
        assert container.memory_percent == 20 == sample.memory_percent
        assert container.cpu_cores == pytest.approx(0.25)
        assert container.cpu_limit_cores == 0.5
        assert container.cpu_percent == pytest.approx(50) == sample.cpu_percent
        assert container.throttled_percent == pytest.approx(10)
        assert container.oom_kills == 3
        assert suite.capacity.cpu_cores == 0.5
        assert "cpu.max" in suite.capacity.cpu_reason
        assert suite.capacity.memory_mb == 400
        assert "memory.max" in suite.capacity.memory_reason
        assert suite.capacity.cpu_text(50) == "50 % = 0.25 of 0.5 cores = CPUQuota=25%"


def test_cache_and_kills_follow_every_5_s(tree: Tree) -> None:
    tree.cgroups("0::/a/me\n", V2_MOUNT)
    v2_group(tree, "/a", memory=500, limit=1000, cache=100)
    v2_group(tree, "/a/me", memory=100, cache=20)
    with opened(tree.suite("container")) as suite:
        tree.clock.advance(1)
        assert suite.read().container.working_set_mb == 80
        v2_group(tree, "/a", memory=500, limit=1000, cache=300)
        v2_group(tree, "/a/me", memory=100, cache=50)
        tree.put("sys/fs/cgroup/a/me/memory.events", "oom_kill 4\n")
        tree.clock.advance(4)
        assert suite.read().container.working_set_mb == 80
        tree.clock.advance(1)
        sample = suite.read()
        assert sample.container.working_set_mb == 50
        assert sample.container.memory_percent == 20
        assert sample.container.oom_kills == 4
        assert sample.age("container.working_set_mb") == 0
        tree.put("sys/fs/cgroup/a/me/memory.events", "low 0\n")
        tree.clock.advance(5)
        assert "oom_kill" in suite.read().missing["container.oom_kills"]
        tree.put("sys/fs/cgroup/a/me/memory.events", "oom_kill 4\n")
        tree.clock.advance(5)
        assert suite.read().container.oom_kills == 4


def test_the_tightest_ancestor_counts_with_its_own_use(tree: Tree) -> None:
    tree.cgroups("0::/a/b/c\n", V2_MOUNT)
    v2_group(tree, "/a", memory=900, limit=2000)
    v2_group(tree, "/a/b", memory=600, limit=800, cache=200, quota="150000 100000")
    v2_group(tree, "/a/b/c", memory=100, limit=1000, quota="300000 100000")
    with opened(tree.suite("container")) as suite:
        sample = suite.read()
        assert sample.container.memory_limit_mb == 800
        assert sample.container.memory_percent == 50
        assert sample.container.working_set_mb == 100
        assert sample.container.cpu_limit_cores == 1.5
        assert any(path.endswith("/a/b/memory.current") for path in suite.files_read())


def test_working_set_is_never_negative_and_without_a_limit_percent_is_of_the_machine(
    tree: Tree,
) -> None:
    tree.cgroups("0::/me\n", V2_MOUNT)
    v2_group(tree, "/me", memory=10, cache=30)
    with opened(tree.suite("container")) as suite:
        sample = suite.read()
        assert sample.container.working_set_mb == 0
        assert sample.container.memory_limit_mb == math.inf
        tree.put("sys/fs/cgroup/me/memory.current", f"{8000000 * 1024 // 2 + 30 * MB}\n")
        assert suite.read().container.memory_percent == pytest.approx(50)


def test_a_group_without_the_controller_is_charged_to_its_ancestor(tree: Tree) -> None:
    tree.cgroups("0::/a/b\n", V2_MOUNT)
    v2_group(tree, "/a", memory=70, limit=700)
    v2_group(tree, "/a/b", memory=None, quota=None)
    with opened(tree.suite("container")) as suite:
        assert suite.read().container.memory_usage_mb == 70


def test_version_1_without_limit_and_with_quota(tree: Tree) -> None:
    tree.cgroups("4:memory:/docker/x\n3:cpu,cpuacct:/docker/x\n0::/\n", V1_MOUNTS)
    v1_roots(tree)
    v1_group(tree, "/docker")
    v1_group(tree, "/docker/x", memory=50, cache=10)
    v1_cpu(tree, "/docker", quota=100_000)
    v1_cpu(tree, "/docker/x")
    with opened(tree.suite("container")) as suite:
        v1_cpu(tree, "/docker/x", used_ns=500_000_000)
        v1_cpu(tree, "/docker", quota=100_000, throttled_ns=200_000_000)
        tree.clock.advance(1)
        sample = suite.read()
        check_reasons(sample)
        assert sample.container.working_set_mb == 40
        assert sample.container.memory_limit_mb == math.inf
        assert sample.container.cpu_limit_cores == 1.0
        assert sample.container.cpu_percent == pytest.approx(50)
        assert sample.container.throttled_percent == pytest.approx(20)
        assert sample.container.oom_kills == 2


def test_a_hybrid_machine_counts_memory_by_version_1(tree: Tree) -> None:
    mounts = V1_MOUNTS + V2_MOUNT.replace("/sys/fs/cgroup ", "/sys/fs/cgroup/unified ")
    tree.cgroups("4:memory:/me\n3:cpu,cpuacct:/\n0::/\n", mounts)
    v1_roots(tree)
    v1_group(tree, "/me", memory=50, limit=100)
    tree.put("sys/fs/cgroup/unified/cpu.stat", "usage_usec 7\n")
    with opened(tree.suite("container")) as suite:
        tree.clock.advance(1)
        sample = suite.read()
        check_reasons(sample)
        assert sample.container.memory_percent == 50
        assert "root group" in sample.missing["container.cpu_percent"]


def test_a_cgroup_namespace_shows_the_path_as_root_but_has_a_limit(tree: Tree) -> None:
    tree.cgroups("0::/\n", V2_MOUNT)
    tree.remove("sys/fs/cgroup/cpu.stat")
    v2_group(tree, "", memory=64, limit=128)
    with opened(tree.suite("container")) as suite:
        assert suite.read().container.memory_percent == 50


@pytest.mark.parametrize("membership", ["/docker/abc", "/../outside", "/elsewhere"])
def test_a_bind_mounted_group_is_found_beneath_its_mount(tree: Tree, membership: str) -> None:
    mounts = V1_MOUNTS.replace("0:31 / ", "0:31 /docker/abc ")
    tree.cgroups(f"4:memory:{membership}\n", mounts)
    v1_group(tree, "", memory=64, limit=128)
    with opened(tree.suite("container")) as suite:
        assert suite.read().container.memory_percent == 50


def test_outside_of_a_group_the_view_is_missing_and_the_scope_refused(tree: Tree) -> None:
    with opened(tree.suite()) as suite:
        sample = suite.read()
        check_reasons(sample)
        assert all(math.isnan(value) for value in sample.container)
    with pytest.raises(ScopeError, match=r"container.*choose.*'application' or 'device'"):
        tree.suite("container")


def test_a_raspberry_pi_without_memory_controller_names_the_boot_option(tree: Tree) -> None:
    tree.cgroups("0::/me\n", V2_MOUNT)
    tree.put("proc/cgroups", "#subsys_name hierarchy num_cgroups enabled\nmemory 0 58 0\ncpu 0 5 1")
    v2_group(tree, "/me", memory=None)
    with opened(tree.suite("container")) as suite:
        tree.clock.advance(1)
        sample = suite.read()
        check_reasons(sample)
        assert "cgroup_disable=memory" in sample.missing["container.memory_limit_mb"]
        assert not math.isnan(sample.container.cpu_cores)
        (report,) = [one for one in suite.describe() if one.name == "container memory"]
        assert "cgroup_enable=memory" in report.remedy


def test_the_boot_line_tells_where_the_kernel_lists_no_controllers(tree: Tree) -> None:
    tree.cgroups("0::/me\n", V2_MOUNT)
    tree.put("proc/cmdline", "quiet cgroup_disable=memory\n")
    v2_group(tree, "/me", memory=None)
    with opened(tree.suite()) as suite:
        assert "switched off at boot" in suite.read().missing["container.oom_kills"]


def test_a_migration_is_followed_within_a_minute(tree: Tree) -> None:
    tree.cgroups("0::/a\n", V2_MOUNT)
    v2_group(tree, "/a", memory=10)
    v2_group(tree, "/b", memory=20)
    with opened(tree.suite("container")) as suite:
        assert suite.read().container.memory_usage_mb == 10
        tree.put(f"proc/{PID}/cgroup", "0::/b\n")
        tree.clock.advance(60)
        assert suite.read().container.memory_usage_mb == 20


def test_looking_again_every_60_s_keeps_the_rates(tree: Tree) -> None:
    tree.cgroups("0::/a\n", V2_MOUNT)
    v2_group(tree, "/a")
    with opened(tree.suite("container")) as suite:
        tree.clock.advance(1)
        suite.read()
        v2_group(tree, "/a", used=60_000_000)
        tree.clock.advance(60)
        assert suite.read().container.cpu_cores == pytest.approx(1.0)


def test_a_limit_or_quota_that_changes_is_seen_within_a_minute(tree: Tree) -> None:
    tree.cgroups("0::/a/b\n", V2_MOUNT)
    v2_group(tree, "/a", limit=1000)
    v2_group(tree, "/a/b")
    with opened(tree.suite("container")) as suite:
        assert suite.capacity.memory_mb == 1000
        tree.clock.advance(1)
        assert suite.read().container.throttled_percent == 0.0
        v2_group(tree, "/a", limit=None)
        v2_group(tree, "/a/b", limit=500, quota="100000 100000")
        tree.clock.advance(60)
        sample = suite.read()
        assert suite.capacity.memory_mb == 500
        assert suite.capacity.cpu_cores == 1.0
        check_reasons(sample)
        v2_group(tree, "/a/b", limit=500, quota="100000 100000", throttled=500_000)
        tree.clock.advance(1)
        sample = suite.read()
        assert sample.container.throttled_percent == pytest.approx(50)
        check_reasons(sample)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("memory.current", "many"),
        ("memory.max", "some"),
        ("memory.stat", "anon 1\n"),
        ("memory.events", ""),
        ("cpu.stat", "nonsense"),
    ],
)
def test_a_garbled_file_harms_only_its_own_values_until_it_is_mended(
    tree: Tree, name: str, text: str
) -> None:
    tree.cgroups("0::/a\n", V2_MOUNT)
    v2_group(tree, "/a")
    with opened(tree.suite()) as suite:
        tree.put(f"sys/fs/cgroup/a/{name}", text)
        tree.clock.advance(61)
        sample = suite.read()
        check_reasons(sample)
        lost = {field for field in sample.missing if field.startswith("container.")}
        assert lost
        assert all(name in sample.missing[field] for field in lost)
        assert len(lost) < len(sample.container)
        v2_group(tree, "/a")
        for _ in range(2):
            tree.clock.advance(6)
            sample = suite.read()
        assert not any(field.startswith("container.") for field in sample.missing)


def test_a_removed_group_is_a_reason_and_the_new_one_is_found(tree: Tree) -> None:
    tree.cgroups("0::/a\n", V2_MOUNT)
    v2_group(tree, "/a")
    with opened(tree.suite()) as suite:
        tree.put(f"proc/{PID}/cgroup", "")
        tree.clock.advance(5)
        check_reasons(suite.read())
        tree.put(f"proc/{PID}/cgroup", "0::/a\n")
        tree.clock.advance(5)
        assert suite.read().container.memory_usage_mb == 100


@pytest.fixture
def real_group() -> object:
    """A version 1 memory group of 64 MiB, removed afterwards."""
    folder = Path(f"/sys/fs/cgroup/memory/amptalk_test_{os.getpid()}")
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"a memory control group of version 1 cannot be made here: {error}")
    try:
        (folder / "memory.limit_in_bytes").write_text(str(64 * MB))
        yield folder
    finally:
        until(lambda: not (folder / "cgroup.procs").read_text().strip())
        folder.rmdir()


def test_a_real_group_with_a_limit_is_read(real_group: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", "input(); x = b'1' * (30 << 20); print(1, flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        (real_group / "cgroup.procs").write_text(str(process.pid))
        process.stdin.write(b"\n")
        process.stdin.flush()
        process.stdout.readline()
        with opened(SensorSuite("container", pid=process.pid)) as suite:
            sample = suite.read()
            check_reasons(sample)
            assert sample.container.memory_limit_mb == 64
            assert 30 < sample.memory_used_mb < 64
            assert sample.memory_percent == pytest.approx(sample.memory_used_mb / 64 * 100)
            assert suite.capacity.memory_mb == 64
            assert sample.container.oom_kills == 0
    finally:
        process.kill()
        process.communicate()
