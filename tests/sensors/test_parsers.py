"""Whatever the bytes, a parser gives a value or a `SensorFault`; what is well formed comes back."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.sensors import cgroups, files, group_memory, procstat, swapping
from amptalk.sensors import quota as quotas
from amptalk.sensors.files import SensorFault
from amptalk.sensors.gpu import fdinfo, jetson, places, reading
from amptalk.sensors.power import ina3221, meter, rapl
from amptalk.sensors.roots import Roots
from amptalk.sensors.thermometers import Limits, Thermometer
from tests.sensors.trees import PAGE, ROLLUP, stat_line

PID = 77
numbers = st.integers(0, 2**64 - 1)
noise = st.one_of(
    st.binary(max_size=120),
    st.text("0123456789 -:.kBMax\n\tnadrm²٣", max_size=120).map(str.encode),
    st.integers().map(lambda number: f"{number}\n".encode()),
)


class Place:
    """A folder in which every file that a parser asks for has the same contents."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.roots = Roots(str(root), str(root))
        self.file = str(root / "file")

    def put(self, name: str, data: bytes) -> str:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return str(path)


@contextmanager
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory() as folder:
        yield Place(Path(folder))


def temperature(at: Place, data: bytes) -> float:
    path = at.put("file", data)
    return Thermometer(0, "x", "x", "x", path, lambda: None, Limits).celsius()


def nvmap(at: Place, data: bytes) -> float:
    return sum(jetson.held_by_process(at.put("file", data)).values())


def descriptors(at: Place, data: bytes) -> float:
    at.put(f"{PID}/fdinfo/3", data)
    link = at.root / f"{PID}/fd/3"
    link.parent.mkdir(exist_ok=True)
    link.symlink_to("/dev/dri/renderD128")
    clients = fdinfo.clients_of(str(at.root), (PID,), "0000:03:00.0")
    return sum(sum(client.memory.values()) for client in clients.values())


def groups(at: Place, data: bytes) -> float:
    at.put(f"{PID}/cgroup", data)
    at.put("self/mountinfo", data)
    return float(cgroups.find_group(at.roots, PID, "memory", ("a", "b")).version)


def process(at: Place, data: bytes) -> float:
    at.put(f"{PID}/stat", data)
    return procstat.read_stat(str(at.root), PID).seconds


def rollup(at: Place, data: bytes) -> float:
    for name in ("smaps_rollup", "status", "statm"):
        at.put(f"{PID}/{name}", data)
    return procstat.read_rollup(str(at.root), PID).saving


def children(at: Place, data: bytes) -> float:
    at.put(f"{PID}/task/{PID}/children", data)
    return float(len(procstat.descendants_by_children(str(at.root), PID, frozenset())))


def quota(at: Place, data: bytes) -> float:
    for name in ("cpu.max", "cpu.cfs_quota_us", "cpu.cfs_period_us"):
        at.put(name, data)
    first = quotas._quota(1, str(at.root))[0]
    return min(first, quotas._quota(2, str(at.root))[0])


def swapped(_at: Place, data: bytes) -> float:
    found = swapping._found(data, swapping._KEYS)
    return 0.0 if found is None else float(min(found[0]))


PARSERS: dict[str, Callable[[Place, bytes], float]] = {
    "a number": lambda at, data: files.read_number(at.put("file", data)),
    "a line of memory.stat": lambda _, data: files.entry(data, b"inactive_file", "x"),
    "a temperature": temperature,
    "a power": lambda at, data: meter.microwatts(at.put("file", data)),
    "a power with its unit": lambda at, data: ina3221._milli(at.put("file", data), "mW"),
    "a processor's maker": lambda at, data: rapl._is_amd(at.put("file", data)),
    "a percent of a GPU": lambda at, data: reading.percent(at.put("file", data)),
    "a GPU's degrees": lambda at, data: reading.temperature(at.put("file", data)),
    "memory of the machine": lambda at, data: places.memory_total_mb(
        Roots(str(Path(at.put("meminfo", data)).parent), "")
    ),
    "a memory limit": lambda at, data: group_memory._amount(at.put("file", data)),
    "memory of a Jetson's GPU": nvmap,
    "descriptors of a GPU": descriptors,
    "control groups": groups,
    "a process": process,
    "exact memory": rollup,
    "children": children,
    "a quota": quota,
    "swapping": swapped,
}


@pytest.mark.parametrize("name", PARSERS)
def test_no_bytes_raise_anything_but_a_fault_or_give_less_than_nothing(name: str) -> None:
    @given(noise)
    def holds(data: bytes) -> None:
        with place() as at:
            try:
                value = PARSERS[name](at, data)
            except SensorFault as fault:
                assert fault.reason
                return
            assert not math.isnan(value)
            assert value >= 0 or name in {"a number", "a temperature", "a GPU's degrees",
                                          "a power with its unit"}  # fmt: skip

    holds()


@given(st.integers(-(2**63), 2**64 - 1))
def test_every_number_of_the_kernel_comes_back(number: int) -> None:
    with place() as at:
        path = at.put("file", f"{number}\n".encode())
        assert files.read_number(path) == number
        assert ina3221._milli(at.put("file", f"{number} mW\n".encode()), "mW") == number


@given(st.one_of(st.integers(2**64, 10**40), st.integers(-(10**40), -(2**63) - 1)))
def test_no_number_is_beyond_64_bits(number: int) -> None:
    with place() as at, pytest.raises(SensorFault, match="not a whole number"):
        files.read_number(at.put("file", f"{number}\n".encode()))


@given(numbers, st.integers(0, 60))
def test_a_line_counts_whole_or_not_at_all(number: int, cut: int) -> None:
    data = f"anon 5\ninactive_file {number}\nslab 7\n".encode()
    assert files.entry(data, b"inactive_file", "x") == number
    try:
        assert files.entry(data[:cut], b"inactive_file", "x") == number
    except SensorFault:
        assert cut < len(data)


@given(st.integers(0, 2**31), st.integers(0, 2**31), st.integers(1, 10**9))
def test_a_process_comes_back(utime: int, cutime: int, start: int) -> None:
    with place() as at:
        at.put(f"{PID}/stat", stat_line(PID, 5, utime=utime, cutime=cutime, start=start).encode())
        stat = procstat.read_stat(str(at.root), PID)
    hertz = procstat._HZ
    assert (stat.parent, stat.start) == (5, start)
    assert (stat.seconds, stat.waited) == (utime / hertz, cutime / hertz)


@given(st.integers(0, len(ROLLUP)))
def test_exact_memory_is_whole_or_the_next_best_thing(cut: int) -> None:
    with place() as at:
        at.put(f"{PID}/smaps_rollup", ROLLUP[:cut].encode())
        at.put(f"{PID}/statm", f"{3 * PAGE} 9 4 0 0 0 0\n".encode())
        found = procstat.read_rollup(str(at.root), PID)
    whole = found.source == "smaps_rollup"
    assert whole == (cut == len(ROLLUP))
    assert (found.pss, found.saving) == (100000, 11680) if whole else math.isnan(found.pss)


@given(st.integers(1, 10**7), st.integers(1000, 10**6))
def test_a_quota_comes_back(quota_us: int, period: int) -> None:
    with place() as at:
        at.put("cpu.max", f"{quota_us} {period}\n".encode())
        at.put("cpu.cfs_quota_us", f"{quota_us}\n".encode())
        at.put("cpu.cfs_period_us", f"{period}\n".encode())
        assert quotas._quota(2, str(at.root))[0] == quota_us / period
        assert quotas._quota(1, str(at.root))[0] == quota_us / period
