"""Files of a made-up machine that every one has: processes, memory, pressure, control groups."""

from __future__ import annotations

from collections.abc import Callable

from tests.sensors.faults.disk import Content
from tests.sensors.faults.others import CHILD
from tests.sensors.test_container import NO_LIMIT_V1, V1_MOUNTS, V2_MOUNT
from tests.sensors.trees import MEMINFO, PAGE, PID, ROLLUP, SWAPS, psi, stat_line

MB = 2**20


def grows(template: str, *rates: tuple[float, float]) -> Callable[[float], str]:
    """Put `start + rate * seconds` of each pair into a text, as whole numbers."""
    return lambda t: template % tuple(round(start + rate * t) for start, rate in rates)


def numbers(folder: str, **files: object) -> dict[str, Content]:
    return {f"{folder}/{name}": f"{value}\n" for name, value in files.items()}


def _process(pid: int, parent: int, children: str) -> dict[str, Content]:
    size, resident, shared = (mb * MB // PAGE for mb in (200, 100, 30))
    folder = f"proc/{pid}"
    return {
        f"{folder}/statm": f"{size} {resident} {shared} 1 0 1 0\n",
        f"{folder}/stat": lambda t: stat_line(pid, parent, utime=round(100 + 20 * t)),
        f"{folder}/task/{pid}/children": children,
        f"{folder}/smaps_rollup": ROLLUP,
        f"{folder}/status": "Name:\tx\nRssAnon:\t 71680 kB\nRssFile:\t 30000 kB\n"
        "RssShmem:\t 10000 kB\nVmSwap:\t 2000 kB\n",
    }


def base() -> dict[str, Content]:
    core = "cpu%s %d 0 %d %d %d 0 0 0 0 0\n"
    pressure = "some avg10=0.00 avg60=0.00 avg300=0.00 total=%d\n"
    return {
        "proc/stat": grows(
            "".join(core.replace("%s", name) for name in (" ", "0", "1")) + "intr 12345 1 2\n",
            (200, 50), (100, 10), (1600, 130), (100, 10),
            (100, 30), (50, 5), (800, 60), (50, 5),
            (100, 20), (50, 5), (800, 70), (50, 5),
        ),
        "proc/meminfo": MEMINFO,
        "proc/vmstat": grows(
            "nr_free_pages 12345\nworkingset_refault_anon %d\nworkingset_refault_file %d\n"
            "nr_dirty 3\npswpin %d\npswpout %d\npgalloc_dma 0\n"
            "pgmajfault %d\n",
            (10, 25), (20, 50), (5, 100), (7, 6000), (100, 20),
        ),
        "proc/swaps": SWAPS,
        "proc/pressure/cpu": grows(pressure, (1000, 20_000)),
        "proc/pressure/memory": grows(pressure + psi(0).splitlines()[1][:-1] + "%d\n",
                                      (2000, 30_000), (500, 10_000)),
        "proc/pressure/io": grows(pressure, (3000, 40_000)),
        "proc/cgroups": "#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t0\t9\t1\n",
        "proc/cmdline": "quiet\n",
        "proc/cpuinfo": "processor\t: 0\nvendor_id\t: GenuineIntel\n",
        **_process(PID, 1, f"{CHILD} "),
        **_process(CHILD, PID, ""),
    }  # fmt: skip


def _v2(path: str, *, limit: str = "max", quota: str = "max 100000") -> dict[str, Content]:
    folder = f"sys/fs/cgroup{path}"
    return {
        f"{folder}/cgroup.events": "populated 1\nfrozen 0\n",
        f"{folder}/memory.current": f"{200 * MB}\n",
        f"{folder}/memory.swap.current": f"{60 * MB}\n",
        f"{folder}/memory.max": f"{limit}\n",
        f"{folder}/memory.stat": f"anon 1\nfile {90 * MB}\ninactive_file {40 * MB}\nslab 3\n",
        f"{folder}/memory.events": "low 0\nhigh 0\nmax 0\noom 4\noom_kill 3\noom_group_kill 0\n",
        f"{folder}/cpu.max": f"{quota}\n",
        f"{folder}/cpu.stat": grows(
            "usage_usec %d\nuser_usec %d\nnr_throttled 5\nthrottled_usec %d\nnr_bursts 0\n",
            (7_000_000, 250_000), (5_000_000, 200_000), (9000, 50_000),
        ),
    }  # fmt: skip


def in_v2() -> dict[str, Content]:
    return {
        f"proc/{PID}/cgroup": "1:name=systemd:/apps\n0::/apps/me\n",
        "proc/self/mountinfo": "24 1 0:21 / / rw - ext4 /dev/root rw\n" + V2_MOUNT,
        "sys/fs/cgroup/cpu.stat": "usage_usec 1\n",
        **_v2("/apps", limit=str(400 * MB)),
        **_v2("/apps/me", limit=str(900 * MB), quota="150000 100000"),
    }


def _v1_memory(path: str, limit: int) -> dict[str, Content]:
    return numbers(
        f"sys/fs/cgroup/memory{path}",
        **{
            "memory.usage_in_bytes": 200 * MB, "memory.limit_in_bytes": limit,
            "memory.stat": f"cache 7\ninactive_file 1\ntotal_inactive_file {40 * MB}\n"
            f"total_swap {60 * MB}\ntotal_x 3",
            "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2",
        },
    )  # fmt: skip


def _v1_cpu(path: str, quota: int) -> dict[str, Content]:
    folder = f"sys/fs/cgroup/cpu{path}"
    return {
        f"{folder}/cpuacct.usage": grows("%d\n", (7e9, 250e6)),
        f"{folder}/cpu.cfs_quota_us": f"{quota}\n",
        f"{folder}/cpu.cfs_period_us": "100000\n",
        f"{folder}/cpu.stat": grows(
            "nr_periods 9\nnr_throttled 5\nthrottled_time %d\n", (9e6, 50e6)
        ),
    }


def in_v1(*, hybrid: bool) -> dict[str, Content]:
    mounts = V1_MOUNTS + V2_MOUNT.replace("/sys/fs/cgroup ", "/sys/fs/cgroup/unified ")
    found = {
        f"proc/{PID}/cgroup": "4:memory:/apps/me\n3:cpu,cpuacct:/apps/me\n",
        "proc/self/mountinfo": V1_MOUNTS,
        "sys/fs/cgroup/memory/release_agent": "\n",
        "sys/fs/cgroup/cpu/release_agent": "\n",
        **_v1_memory("", NO_LIMIT_V1), **_v1_cpu("", -1),
        **_v1_memory("/apps", 400 * MB), **_v1_cpu("/apps", 150_000),
        **_v1_memory("/apps/me", NO_LIMIT_V1), **_v1_cpu("/apps/me", -1),
    }  # fmt: skip
    if hybrid:
        found[f"proc/{PID}/cgroup"] = "4:memory:/apps/me\n3:cpu,cpuacct:/apps/me\n0::/\n"
        found["proc/self/mountinfo"] = mounts
        found["sys/fs/cgroup/unified/cpu.stat"] = "usage_usec 7\n"
    return found
