"""Temperature and power: first readings, and precise reasons where there are none."""

import math

import pytest

from tests.sensors.trees import Tree, check_reasons, opened


def zone(tree: Tree, number: int, kind: str, value: str) -> None:
    tree.put(f"sys/class/thermal/thermal_zone{number}/type", f"{kind}\n")
    tree.put(f"sys/class/thermal/thermal_zone{number}/temp", f"{value}\n")


def temperature(tree: Tree) -> float:
    with opened(tree.suite()) as suite:
        sample = suite.read()
        check_reasons(sample)
        return sample.temperature_celsius


def test_the_hottest_processor_sensor_decides(tree: Tree) -> None:
    zone(tree, 0, "acpitz", "90000")
    zone(tree, 1, "cpu-thermal", "51500")
    zone(tree, 10, "soc-thermal", "55250")
    assert temperature(tree) == 55.25


def test_without_a_processor_sensor_another_zone_decides(tree: Tree) -> None:
    zone(tree, 0, "acpitz", "40000")
    zone(tree, 1, "PMIC-Die", "100000")
    zone(tree, 2, "INT3400 Thermal", "20000")
    tree.put("sys/class/hwmon/hwmon0/name", "nvme\n")
    tree.put("sys/class/hwmon/hwmon0/temp1_input", "70000\n")
    assert temperature(tree) == 40


def test_a_chip_gives_its_package_before_its_cores(tree: Tree) -> None:
    folder = "sys/class/hwmon/hwmon11"
    tree.put(f"{folder}/name", "coretemp\n")
    tree.put(f"{folder}/temp1_label", "Package id 0\n")
    tree.put(f"{folder}/temp1_input", "61000\n")
    tree.put(f"{folder}/temp2_label", "Core 0\n")
    tree.put(f"{folder}/temp2_input", "66000\n")
    assert temperature(tree) == 61


@pytest.mark.parametrize("value", ["-256000", "65261000", "", "hot"])
def test_an_implausible_zone_is_passed_over(tree: Tree, value: str) -> None:
    zone(tree, 0, "cpu-thermal", value)
    zone(tree, 1, "gpu-thermal", "80000")
    zone(tree, 2, "cv0-soc", "45000")
    assert temperature(tree) == 45


def test_only_implausible_zones_are_a_reason(tree: Tree) -> None:
    zone(tree, 0, "cpu-thermal", "-256000")
    with opened(tree.suite()) as suite:
        sample = suite.read()
        check_reasons(sample)
        assert "-256 °C, which cannot be" in sample.missing["temperature_celsius"]


def test_temperature_follows_every_5_s_with_its_age(tree: Tree) -> None:
    zone(tree, 0, "cpu-thermal", "50000")
    with opened(tree.suite()) as suite:
        zone(tree, 0, "cpu-thermal", "60000")
        tree.clock.advance(4)
        sample = suite.read()
        assert sample.temperature_celsius == 50
        assert sample.age("temperature_celsius") == pytest.approx(4)
        tree.clock.advance(1)
        assert suite.read().temperature_celsius == 60


def test_a_zone_that_appears_is_found_within_a_minute(tree: Tree) -> None:
    with opened(tree.suite()) as suite:
        assert "no temperature sensor" in suite.read().missing["temperature_celsius"]
        zone(tree, 0, "cpu-thermal", "50000")
        tree.clock.advance(60)
        assert suite.read().temperature_celsius == 50


def test_a_zone_that_is_gone_is_missing_within_a_minute(tree: Tree) -> None:
    zone(tree, 0, "cpu-thermal", "50000")
    with opened(tree.suite()) as suite:
        tree.clock.advance(1)
        assert suite.read().temperature_celsius == 50
        tree.remove("sys/class/thermal/thermal_zone0/temp")
        (tree.root / "sys/class/thermal/thermal_zone0/type").unlink()
        (tree.root / "sys/class/thermal/thermal_zone0").rmdir()
        tree.clock.advance(60)
        sample = suite.read()
        assert math.isnan(sample.temperature_celsius)
        assert "no temperature sensor" in sample.missing["temperature_celsius"]


def battery(tree: Tree, **values: str) -> None:
    for name, value in {"type": "Battery", "status": "Discharging", **values}.items():
        tree.put(f"sys/class/power_supply/BAT0/{name}", f"{value}\n")


def power(tree: Tree) -> tuple[float, str]:
    with opened(tree.suite()) as suite:
        sample = suite.read()
        check_reasons(sample)
        origin = sample.provenance.get("power_watts")
        return sample.power_watts, "" if origin is None else f"{origin.method} {origin.source}"


def test_a_discharging_battery_measures_the_device(tree: Tree) -> None:
    battery(tree, power_now="-7500000")
    watts, origin = power(tree)
    assert watts == 7.5
    assert origin.startswith("measured discharging battery")


def test_battery_power_is_derived_from_current_and_voltage(tree: Tree) -> None:
    battery(tree, current_now="500000", voltage_now="12000000")
    watts, origin = power(tree)
    assert watts == 6
    assert origin.startswith("derived")


@pytest.mark.parametrize("values", [{"status": "Charging"}, {"scope": "Device"}])
def test_a_charging_battery_or_that_of_a_mouse_does_not_count(
    tree: Tree, values: dict[str, str]
) -> None:
    battery(tree, power_now="7500000", **values)
    assert math.isnan(power(tree)[0])


def test_the_input_rail_of_a_board_is_current_times_voltage(tree: Tree) -> None:
    folder = "sys/class/hwmon/hwmon3"
    for name, value in {
        "name": "ina3221", "in1_label": "VDD_CPU", "in1_input": "5000", "curr1_input": "900",
        "in2_label": "VDD_IN", "in2_input": "5000", "curr2_input": "1200",
    }.items():  # fmt: skip
        tree.put(f"{folder}/{name}", f"{value}\n")
    watts, origin = power(tree)
    assert watts == 6
    assert origin == "derived INA3221 VDD_IN: whole device"


def test_an_acpi_power_meter_is_read_without_a_name(tree: Tree) -> None:
    tree.put("sys/class/hwmon/hwmon4/device/power1_average", "33000000\n")
    assert power(tree)[0] == 33


def rapl(tree: Tree, zone: str, name: str, energy: int) -> None:
    tree.put(f"sys/class/powercap/{zone}/name", f"{name}\n")
    tree.put(f"sys/class/powercap/{zone}/energy_uj", f"{energy}\n")
    tree.put(f"sys/class/powercap/{zone}/max_energy_range_uj", "262143328850\n")


def test_rapl_packages_are_differentiated_and_parts_of_them_never_added(tree: Tree) -> None:
    def put(energy: int) -> None:
        rapl(tree, "intel-rapl:0", "package-0", energy)
        rapl(tree, "intel-rapl:1", "package-1", energy)
        rapl(tree, "intel-rapl:0:0", "core", energy * 9)
        rapl(tree, "intel-rapl-mmio:0", "package-0", energy)

    put(1_000_000)
    with opened(tree.suite()) as suite:
        assert "two plausible readings" in suite.read().missing["power_watts"]
        put(11_000_000)
        tree.clock.advance(2)
        sample = suite.read()
        assert sample.power_watts == 10
        assert "processor only" in sample.provenance["power_watts"].source


def test_the_platform_counter_replaces_the_packages(tree: Tree) -> None:
    rapl(tree, "intel-rapl:0", "package-0", 0)
    rapl(tree, "intel-rapl:1", "psys", 0)
    with opened(tree.suite()) as suite:
        rapl(tree, "intel-rapl:0", "package-0", 15_000_000)
        rapl(tree, "intel-rapl:1", "psys", 20_000_000)
        tree.clock.advance(1)
        assert suite.read().power_watts == 20


def test_a_wrap_is_accepted_only_when_its_power_is_plausible(tree: Tree) -> None:
    rapl(tree, "intel-rapl:0", "package-0", 262_143_000_000)
    with opened(tree.suite()) as suite:
        rapl(tree, "intel-rapl:0", "package-0", 9_671_150)
        tree.clock.advance(1)
        assert suite.read().power_watts == pytest.approx(10)
        rapl(tree, "intel-rapl:0", "package-0", 0)  # a reset, not a wrap
        tree.clock.advance(5)
        assert math.isnan(suite.read().power_watts)


def test_a_failed_read_is_missing_and_the_next_one_covers_the_whole_time(tree: Tree) -> None:
    rapl(tree, "intel-rapl:0", "package-0", 0)
    with opened(tree.suite()) as suite:
        tree.put("sys/class/powercap/intel-rapl:0/energy_uj", "")
        tree.clock.advance(1)
        sample = suite.read()
        check_reasons(sample)
        assert "energy_uj" in sample.missing["power_watts"]
        rapl(tree, "intel-rapl:0", "package-0", 60_000_000)
        tree.clock.advance(5)
        assert suite.read().power_watts == 10  # not the 12 W of a failed read taken for 0
