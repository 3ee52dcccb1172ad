"""THE temperature: which sensor it is, what spoils nothing, and how another one is chosen."""

import errno
import math
import shutil
from pathlib import Path

import pytest

from amptalk.model.sample import Sample
from amptalk.sensors import temperature
from amptalk.sensors.suite import SensorSuite
from tests.sensors.test_power import put
from tests.sensors.trees import Tree, check_reasons, failing, opened

THERMAL = "sys/class/thermal"
HWMON = "sys/class/hwmon"


@pytest.fixture(autouse=True)
def no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(temperature.CHOICE, raising=False)


def zone(tree: Tree, number: int, kind: str, value: object, **files: object) -> None:
    put(tree, f"{THERMAL}/thermal_zone{number}", type=kind, temp=value, **files)


def seen(tree: Tree) -> Sample:
    with opened(tree.suite()) as suite:
        sample = suite.read()
        check_reasons(sample)
        return sample


def origin(sample: Sample) -> str:
    return sample.provenance["temperature_celsius"].source


def later(tree: Tree, suite: SensorSuite, seconds: float = 5) -> Sample:
    tree.clock.advance(seconds)
    sample = suite.read()
    check_reasons(sample)
    return sample


def test_the_whole_processor_counts_before_its_chip_and_its_zones(tree: Tree) -> None:
    zone(tree, 0, "acpitz", 90_000)
    zone(tree, 1, "cpu-thermal", 80_000)
    put(tree, f"{HWMON}/hwmon3", name="coretemp", temp1_label="Package id 0", temp1_input=61_000)
    assert seen(tree).temperature_celsius == 61
    zone(tree, 2, "x86_pkg_temp", 62_000)
    assert seen(tree).temperature_celsius == 62


def test_the_junction_of_a_jetson_counts_before_its_parts(tree: Tree) -> None:
    zone(tree, 0, "cpu-thermal", 48_000)
    zone(tree, 1, "gpu-thermal", 70_000)
    zone(tree, 8, "tj-thermal", 51_500)
    assert seen(tree).temperature_celsius == 51.5


def test_the_hottest_of_two_packages_counts(tree: Tree) -> None:
    zone(tree, 0, "x86_pkg_temp", 50_000)
    zone(tree, 1, "x86_pkg_temp", 64_000)
    sample = seen(tree)
    assert sample.temperature_celsius == 64
    assert origin(sample) == "x86_pkg_temp #2"


def test_the_control_value_of_an_amd_processor_gives_way_to_its_die(tree: Tree) -> None:
    put(tree, f"{HWMON}/hwmon3", name="k10temp", temp1_label="Tctl", temp1_input=77_000)
    assert seen(tree).temperature_celsius == 77
    put(tree, f"{HWMON}/hwmon3", temp2_label="Tdie", temp2_input=50_000)
    assert seen(tree).temperature_celsius == 50  # Tctl carries an offset of 27 °C here


def test_a_zone_without_power_is_passed_over(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    zone(tree, 0, "cv0-soc-thermal", 99_000)
    zone(tree, 1, "cpu-thermal", 45_000)
    path = f"{tree.roots.sys}/class/thermal/thermal_zone0/temp"
    failing(monkeypatch, path, errno.EAGAIN)
    assert seen(tree).temperature_celsius == 45


def test_a_zone_without_power_alone_is_a_reason(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone(tree, 0, "cv0-soc-thermal", 99_000)
    path = f"{tree.roots.sys}/class/thermal/thermal_zone0/temp"
    failing(monkeypatch, path, errno.EAGAIN)
    sample = seen(tree)
    assert math.isnan(sample.temperature_celsius)
    assert "the part is not powered" in sample.missing["temperature_celsius"]


@pytest.mark.parametrize("value", [0, -256_000, 65_261_000, 200_000, "", "hot"])
def test_what_cannot_be_a_temperature_spoils_nothing(tree: Tree, value: object) -> None:
    zone(tree, 0, "x86_pkg_temp", value)
    zone(tree, 1, "cpu-thermal", 44_000)
    assert seen(tree).temperature_celsius == 44


def test_exactly_zero_alone_is_missing_and_frost_is_not(tree: Tree) -> None:
    zone(tree, 0, "cpu-thermal", 0)
    sample = seen(tree)
    assert math.isnan(sample.temperature_celsius)
    assert "exactly 0 °C" in sample.missing["temperature_celsius"]
    zone(tree, 0, "cpu-thermal", -12_500)
    assert seen(tree).temperature_celsius == -12.5


def test_trip_points_and_limits_are_told_without_garbage(tree: Tree) -> None:
    zone(tree, 0, "cpu-thermal", 50_000, trip_point_0_type="active", trip_point_0_temp=55_000,
         trip_point_1_type="passive", trip_point_1_temp=85_000, trip_point_2_type="critical",
         trip_point_2_temp=110_000)  # fmt: skip
    assert origin(seen(tree)) == "cpu-thermal (slows at 85 °C, stops at 110 °C)"
    put(tree, f"{HWMON}/hwmon3", name="coretemp", temp1_label="Package id 0", temp1_input=61_000,
        temp1_max=80_000, temp1_crit=65_261_850)  # fmt: skip
    assert origin(seen(tree)).endswith("(slows at 80 °C)")  # and does not stop at 65261 °C


@pytest.mark.parametrize("kind", ["PMIC-Die", "INT3400 Thermal", "BAT0", "iwlwifi_1"])
def test_zones_of_other_parts_do_not_count(tree: Tree, kind: str) -> None:
    zone(tree, 0, kind, 100_000)
    assert math.isnan(seen(tree).temperature_celsius)


def test_sensors_on_1_wire_are_read_only_when_asked_for(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tree, f"{HWMON}/hwmon1", name="w1_slave_temp", temp1_input=21_000)
    assert "no temperature sensor" in seen(tree).missing["temperature_celsius"]
    monkeypatch.setenv(temperature.CHOICE, "w1_slave_temp")
    assert seen(tree).temperature_celsius == 21


@pytest.mark.parametrize("wish", ["acpitz", "NVME Composite", "nvme"])
def test_another_sensor_can_be_chosen_by_name_or_label(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, wish: str
) -> None:
    zone(tree, 0, "cpu-thermal", 50_000)
    zone(tree, 1, "acpitz", 33_000)
    put(tree, f"{HWMON}/hwmon3", name="nvme", temp1_label="Composite", temp1_input=33_000)
    monkeypatch.setenv(temperature.CHOICE, wish)
    sample = seen(tree)
    assert sample.temperature_celsius == 33
    assert wish.lower() in origin(sample).lower()


def test_an_unknown_choice_lists_what_there_is_and_takes_no_other(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone(tree, 0, "cpu-thermal", 50_000)
    zone(tree, 1, "acpitz", 33_000)
    monkeypatch.setenv(temperature.CHOICE, "cpu")
    sample = seen(tree)
    assert math.isnan(sample.temperature_celsius)
    reason = sample.missing["temperature_celsius"]
    assert "'cpu' names no temperature sensor; there is cpu-thermal, acpitz" in reason


def test_a_sensor_keeps_its_name_when_its_number_moves(tree: Tree, tmp_path: Path) -> None:
    device = tmp_path / "sys/devices/platform/coretemp.0"
    device.mkdir(parents=True)

    def chip(number: int) -> None:
        folder = f"{HWMON}/hwmon{number}"
        put(tree, folder, name="coretemp", temp1_label="Package id 0", temp1_input=61_000)
        (tmp_path / folder / "device").symlink_to(device)

    chip(4)
    first = origin(seen(tree))
    for entry in (tmp_path / HWMON / "hwmon4").iterdir():
        entry.unlink()
    chip(11)
    assert origin(seen(tree)) == first == "coretemp Package id 0 at platform/coretemp.0/temp1"


def test_a_chip_is_not_mistaken_for_the_one_that_got_its_number(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    def chip(number: int, address: str, name: str, celsius: int) -> Path:
        folder = f"sys/devices/i2c-0/0-{address}/hwmon/hwmon{number}"
        put(tree, folder, name=name, temp1_input=celsius * 1000)
        (tree.root / HWMON).mkdir(parents=True, exist_ok=True)
        link = tree.root / HWMON / f"hwmon{number}"
        link.unlink(missing_ok=True)
        link.symlink_to(tree.root / folder)
        return tree.root / folder

    first = chip(0, "0048", "lm75", 45)
    monkeypatch.setenv(temperature.CHOICE, "lm75")
    with opened(tree.suite()) as suite:
        assert later(tree, suite).temperature_celsius == 45
        failing(monkeypatch, f"{first}/temp1_input (deleted)", errno.ENODEV)
        shutil.rmtree(first)
        chip(0, "0049", "tmp102", 88)
        chip(1, "0048", "lm75", 46)
        assert later(tree, suite).temperature_celsius == 46


def test_the_report_names_the_sensor_and_its_limits(tree: Tree) -> None:
    zone(tree, 0, "cpu-thermal", 50_000, trip_point_0_type="critical", trip_point_0_temp=95_000)
    with opened(tree.suite()) as suite:
        report = next(one for one in suite.describe() if one.name == "device temperature")
    assert report.source.startswith("cpu-thermal, stops at 95 °C, ")
    assert report.source.endswith("thermal_zone0/temp")
