"""Where swapped memory lies: compressed in RAM or on a disk, and what it takes there."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.sensors.files import SensorFault
from amptalk.sensors.swapspace import Area, Holding, parse_swaps, parse_zram, spread_of
from tests.sensors.trees import MEMINFO, SWAPS_HEAD, Tree, check_reasons, opened

MB = 2**20
ZRAM = "sys/block/zram0"


def swaps(*lines: tuple[str, str, int, int]) -> str:
    """`/proc/swaps` with name, kind, used MB and priority of each area."""
    return SWAPS_HEAD + "".join(
        f"{name:40}{kind}\t2048000\t\t{used * 1024}\t\t{priority}\n"
        for name, kind, used, priority in lines
    )


def mm_stat(stored: float, ram: float, columns: int = 9) -> str:
    """Original size and all memory taken; the compressed size alone is a tenth less."""
    words = [int(stored * MB), int(ram * MB * 0.9), int(ram * MB), 0, int(ram * MB), 7, 1, 2, 3]
    return "".join(f"{word:8d} " for word in words[:columns]) + "\n"


def meminfo(used_mb: int, zswap: tuple[int, int] | None = None) -> str:
    text = MEMINFO.replace("1500000", f"{2000000 - used_mb * 1024}")
    if zswap is not None:
        lines = f"Zswap: {zswap[0] * 1024:12d} kB\nZswapped: {zswap[1] * 1024:9d} kB\nShmem:"
        text = text.replace("Shmem:", lines)
    return text


def with_zram(tree: Tree, used: int = 300, ram: float = 100, columns: int = 9) -> Tree:
    tree.put("proc/meminfo", meminfo(used))
    tree.put("proc/swaps", swaps(("/dev/zram0", "partition", used, 100)))
    tree.put(f"{ZRAM}/mm_stat", mm_stat(used, ram, columns))
    return tree


def split(tree: Tree) -> tuple[float, float, float]:
    """Compressed, RAM and disk in MB."""
    with opened(tree.suite()) as suite:
        sample = suite.read()
        check_reasons(sample)
        device = sample.device
        return device.swap_compressed_mb, device.swap_ram_mb, device.swap_disk_mb


@pytest.mark.parametrize("columns", [7, 8, 9])
def test_swap_on_zram_lies_in_ram_with_all_that_the_allocator_keeps(
    tree: Tree, columns: int
) -> None:
    assert split(with_zram(tree, 300, 100, columns)) == (300, 100, 0)  # not 90, nor on a disk


def test_swap_on_a_disk_takes_no_ram(tree: Tree) -> None:
    assert split(tree) == (0, 0, 500000 / 1024)


def test_a_machine_without_swap_reads_neither_areas_nor_devices(tree: Tree) -> None:
    tree.put("proc/meminfo", MEMINFO.replace("2000000", "0").replace("1500000", "0"))
    tree.put("proc/swaps", "nonsense")
    assert split(tree) == (0, 0, 0)


def test_a_zram_disk_that_is_no_swap_does_not_count(tree: Tree) -> None:
    tree.put("sys/block/zram1/mm_stat", mm_stat(800, 400))
    assert split(with_zram(tree)) == (300, 100, 0)


def test_several_zram_devices_and_a_disk_are_told_apart(tree: Tree) -> None:
    tree.put("proc/meminfo", meminfo(700))
    tree.put("proc/swaps", swaps(("/dev/zram0", "partition", 200, 100),
                                 ("/dev/zram11", "partition", 100, 100),
                                 ("/my\\040files/swap", "file", 400, -2)))  # fmt: skip
    tree.put(f"{ZRAM}/mm_stat", mm_stat(200, 80))
    tree.put("sys/block/zram11/mm_stat", mm_stat(100, 20))
    assert split(tree) == (300, 100, 400)


def test_what_zram_wrote_back_to_its_disk_takes_no_ram(tree: Tree) -> None:
    with_zram(tree, 300, 50)
    tree.put(f"{ZRAM}/bd_stat", f"{100 * MB // 4096} 5 6\n")  # in blocks of 4 KiB
    assert split(tree) == (200, 50, 100)


def test_zswap_holds_a_part_of_what_its_disk_counts_as_used(tree: Tree) -> None:
    tree.put("proc/meminfo", meminfo(500, zswap=(60, 180)))
    tree.put("proc/swaps", swaps(("/dev/sda3", "partition", 500, -2)))
    assert split(tree) == (180, 60, 320)  # not 500 on the disk


def test_zswap_before_5_19_does_not_say_what_it_holds(tree: Tree) -> None:
    tree.put("sys/module/zswap/parameters/enabled", "Y\n")
    assert all(map(math.isnan, split(tree)))
    tree.put("sys/module/zswap/parameters/enabled", "N\n")
    assert split(tree) == (0, 0, 500000 / 1024)


def test_zram_may_be_reset_removed_and_added_while_it_is_watched(tree: Tree) -> None:
    with opened(with_zram(tree).suite()) as suite:
        assert suite.read().device.swap_ram_mb == 100
        tree.put("proc/swaps", SWAPS_HEAD)  # swapoff, then reset
        tree.put("proc/meminfo", MEMINFO.replace("2000000", "0").replace("1500000", "0"))
        tree.put(f"{ZRAM}/mm_stat", mm_stat(0, 0))
        suite.read()
        tree.clock.advance(5)
        assert suite.read().device.swap_ram_mb == 0
        tree.remove(f"{ZRAM}/mm_stat")  # hot removed; another is added
        tree.put("proc/meminfo", meminfo(90))
        tree.put("proc/swaps", swaps(("/dev/zram1", "partition", 90, 5)))
        tree.put("sys/block/zram1/mm_stat", mm_stat(90, 30))
        suite.read()
        tree.clock.advance(5)
        sample = suite.read()
        assert (sample.device.swap_compressed_mb, sample.device.swap_ram_mb) == (90, 30)
        check_reasons(sample)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SWAPS_HEAD + "none virtual 2097152 100 0\n", "virtual"),  # LXCFS
        (SWAPS_HEAD + "/dev/sda3 partition many\n", "not name, kind, size"),
    ],
)
def test_swap_of_an_unknown_place_is_a_reason(tree: Tree, text: str, said: str) -> None:
    tree.put("proc/swaps", text)
    with opened(tree.suite()) as suite:
        sample = suite.read()
        check_reasons(sample)
        assert said in sample.missing["device.swap_ram_mb"]
        assert said in sample.missing["application.swap_ram_mb"]
        assert sample.device.swap_used_mb == 500000 / 1024  # this is known all the same


@pytest.mark.parametrize(
    ("path", "kind", "zram"),
    [
        ("/dev/zram0", "partition", "zram0"),
        ("/dev/block/zram12", "partition", "zram12"),  # Android
        ("/dev/zram3 (deleted)", "partition", "zram3"),
        ("/mnt/zram0", "file", ""),
        ("/dev/zram0p1", "partition", ""),
        ("/dev/mapper/zramlike", "partition", ""),
    ],
)
def test_a_zram_device_is_known_by_its_name(path: str, kind: str, zram: str) -> None:
    assert Area(path, kind, 1.0).zram == zram


def test_names_of_areas_are_escaped() -> None:
    text = SWAPS_HEAD + "/swap\\040\\134040file\t\t\tfile\t\t100\t\t51200\t\t-3\n"
    assert parse_swaps(text.encode()) == (Area("/swap \\040file", "file", 50.0),)


@given(st.binary(max_size=120))
def test_no_file_whatever_raises_anything_but_a_fault(data: bytes) -> None:
    for call in (
        lambda: parse_swaps(SWAPS_HEAD.encode() + data),
        lambda: parse_zram(data, b"0", "mm_stat"),
        lambda: parse_zram(b"4096 100 200", data, "bd_stat"),
    ):
        try:
            call()
        except SensorFault as fault:
            assert fault.reason


amounts = st.floats(0, 1e5)


@given(
    disks=st.lists(amounts, max_size=3),
    zrams=st.lists(st.tuples(amounts, st.floats(0, 1.2), st.floats(0, 1)), max_size=3),
    zswapped=st.floats(0, 1),
)
def test_parts_are_within_what_is_used_and_an_application_gets_its_share_of_the_ram(
    disks: list[float], zrams: list[tuple[float, float, float]], zswapped: float
) -> None:
    areas = tuple(Area(f"/dev/sd{at}", "partition", used) for at, used in enumerate(disks))
    areas += tuple(
        Area(f"/dev/zram{at}", "partition", used) for at, (used, _, _) in enumerate(zrams)
    )
    held = tuple(Holding(used * (1 - back), used * ratio * (1 - back), used * back)
                 for used, ratio, back in zrams)  # fmt: skip
    zswap = sum(disks) * zswapped / 3, sum(disks) * zswapped
    (compressed, ram, disk), spread = spread_of(areas, held, zswap)
    used = sum(area.used_mb for area in areas)
    assert compressed + disk == pytest.approx(used, abs=1e-6)
    assert disk >= 0
    assert spread.rate * used == pytest.approx(ram, abs=1e-6)
    assert spread.method == ("estimated" if disk > 0 and ram > 0 else "derived")
    assert spread.uncharged_rate >= 0
