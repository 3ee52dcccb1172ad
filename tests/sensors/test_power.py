"""Each source of power on a made-up tree, and the value that a naive reader would give instead."""

import math
import os
from pathlib import Path

import pytest

from amptalk.model.sample import Sample
from amptalk.sensors.suite import SensorSuite
from tests.sensors.trees import Tree, check_reasons, opened

SUPPLY = "sys/class/power_supply"
POWERCAP = "sys/class/powercap"
MICRO = 1_000_000


def put(tree: Tree, folder: str, **files: object) -> None:
    for name, value in files.items():
        tree.put(f"{folder}/{name}", f"{value}\n")


def seen(tree: Tree) -> Sample:
    with opened(tree.suite()) as suite:
        sample = suite.read()
        check_reasons(sample)
        return sample


def origin(sample: Sample) -> tuple[str, str]:
    provenance = sample.provenance["power_watts"]
    return provenance.method, provenance.source


def zone(tree: Tree, number: str, name: str, joules: float, **files: object) -> None:
    put(tree, f"{POWERCAP}/{number}", name=name, energy_uj=int(joules * MICRO), **files)


def later(tree: Tree, suite: SensorSuite, seconds: float = 5) -> Sample:
    tree.clock.advance(seconds)
    sample = suite.read()
    check_reasons(sample)
    return sample


# -- batteries ----------------------------------------------------------------


def test_two_discharging_batteries_are_added_and_an_idle_one_is_not(tree: Tree) -> None:
    put(tree, f"{SUPPLY}/BAT0", type="Battery", status="Discharging", power_now=4 * MICRO)
    put(tree, f"{SUPPLY}/BAT1", type="Battery", status="Discharging", power_now=-3 * MICRO)
    put(tree, f"{SUPPLY}/BAT2", type="Battery", status="Not charging", power_now=9 * MICRO)
    sample = seen(tree)
    assert sample.power_watts == 7  # 1 with the sign believed, 16 without the status
    assert origin(sample) == ("derived", "discharging battery BAT0 + BAT1: whole device")


def test_current_and_voltage_are_both_taken_without_their_sign(tree: Tree) -> None:
    put(tree, f"{SUPPLY}/BAT0", type="Battery", status="Discharging", current_now=-500_000,
        voltage_now=12 * MICRO)  # fmt: skip
    sample = seen(tree)
    assert sample.power_watts == 6
    assert origin(sample)[0] == "derived"


def test_a_battery_beside_an_online_charger_is_not_the_whole_device(tree: Tree) -> None:
    put(tree, f"{SUPPLY}/BAT0", type="Battery", status="Discharging", power_now=4 * MICRO)
    put(tree, f"{SUPPLY}/ucsi-source-psy-1", type="USB", online=1)
    assert math.isnan(seen(tree).power_watts)
    put(tree, f"{SUPPLY}/ucsi-source-psy-1", type="USB", online=0)
    assert seen(tree).power_watts == 4


@pytest.mark.parametrize("power", [7500, 7_500_000_000_000])
def test_a_power_in_another_unit_is_refused_and_never_rescaled(tree: Tree, power: int) -> None:
    put(tree, f"{SUPPLY}/BAT0", type="Battery", status="Discharging", power_now=power)
    sample = seen(tree)
    assert math.isnan(sample.power_watts)
    assert "cannot be what a discharging battery gives" in sample.missing["power_watts"]


def test_one_battery_that_fails_leaves_no_sum(tree: Tree) -> None:
    put(tree, f"{SUPPLY}/BAT0", type="Battery", status="Discharging", power_now=4 * MICRO)
    put(tree, f"{SUPPLY}/BAT1", type="Battery", status="Discharging", power_now="")
    sample = seen(tree)
    assert math.isnan(sample.power_watts)
    assert "BAT1/power_now" in sample.missing["power_watts"]


# -- INA3221 ------------------------------------------------------------------

IIO = "sys/bus/i2c/devices/6-0040/iio:device0"
HWMON = "sys/class/hwmon/hwmon12"


def test_the_old_layout_gives_the_input_rail_with_a_unit_behind_the_number(tree: Tree) -> None:
    put(tree, IIO, rail_name_0="POM_5V_GPU", in_power0_input="900 mW",
        rail_name_1="POM_5V_IN", in_power1_input="5123 mW", rail_name_2="POM_5V_CPU",
        in_power2_input="700")  # fmt: skip
    sample = seen(tree)
    assert sample.power_watts == 5.123  # 6.723 with parts of the input added to it
    assert origin(sample) == ("measured", "INA3221 POM_5V_IN: whole device")


def test_the_old_layout_without_input_rail_is_summed_and_says_what_is_left_out(tree: Tree) -> None:
    put(tree, IIO, rail_name_0="GPU", in_power0_input="1000", rail_name_1="CPU",
        in_power1_input="2000")  # fmt: skip
    put(tree, "sys/bus/i2c/devices/6-0041/iio:device1", rail_name_0="SYS5V",
        in_power0_input="3500", rail_name_1="NC", in_power1_input="9999")  # fmt: skip
    sample = seen(tree)
    assert sample.power_watts == 6.5
    method, source = origin(sample)
    assert method == "derived"
    assert source.endswith("without the carrier board")


def test_another_unit_is_a_reason(tree: Tree) -> None:
    put(tree, IIO, rail_name_0="VDD_IN", in_power0_input="5 W")
    sample = seen(tree)
    assert math.isnan(sample.power_watts)
    assert "'5 W' is not a number in mW" in sample.missing["power_watts"]


def test_the_new_layout_skips_shunts_unconnected_and_disabled_rails(tree: Tree) -> None:
    put(tree, HWMON, name="ina3221",
        in1_label="VDD_GPU_SOC", in1_input=5000, curr1_input=1000, in1_enable=1,
        in2_label="VDD_CPU_CV", in2_input=5000, curr2_input=400, in2_enable=0,
        in3_label="NC", in3_input=5000, curr3_input=900,
        in4_label="shunt", in4_input=2000, curr4_input=1700,
        in7_label="sum of shunt voltages", in7_input=70000, curr7_input=100)  # fmt: skip
    sample = seen(tree)
    assert sample.power_watts == 5  # 7 with the disabled rail, 11.5 with NC as well


def test_rails_without_names_tell_nothing_of_the_device(tree: Tree) -> None:
    put(tree, HWMON, name="ina3221", in1_input=5000, curr1_input=1200)
    assert math.isnan(seen(tree).power_watts)


def test_a_failing_rail_leaves_no_partial_sum(tree: Tree) -> None:
    put(tree, HWMON, name="ina3221", in1_label="A", in1_input=5000, curr1_input=1000,
        in2_label="B", in2_input=5000, curr2_input="")  # fmt: skip
    sample = seen(tree)
    assert math.isnan(sample.power_watts)  # not the 5 W of the other rail
    assert "curr2_input" in sample.missing["power_watts"]


# -- ACPI and other chips -----------------------------------------------------


def test_both_places_of_the_acpi_power_meter_are_read(tree: Tree) -> None:
    put(tree, "sys/class/hwmon/hwmon2", name="power_meter", power1_average=120 * MICRO)
    sample = seen(tree)
    assert sample.power_watts == 120
    assert origin(sample) == ("measured", "ACPI power meter: whole device")


def test_a_graphics_card_is_not_the_device(tree: Tree) -> None:
    put(tree, "sys/class/hwmon/hwmon2", name="amdgpu", power1_average=90 * MICRO)
    put(tree, "sys/class/hwmon/hwmon3", name="i915", energy1_input=90 * MICRO)
    put(tree, "sys/class/hwmon/hwmon4", name="nvme", power1_input=5 * MICRO)
    assert math.isnan(seen(tree).power_watts)


def test_a_chip_that_says_so_is_the_whole_device(tree: Tree) -> None:
    put(tree, "sys/class/hwmon/hwmon2", name="macsmc_hwmon", power1_label="AC Input Power",
        power1_input=30 * MICRO, power2_label="Total System Power",
        power2_input=21 * MICRO)  # fmt: skip
    sample = seen(tree)
    assert sample.power_watts == 21
    assert origin(sample) == ("measured", "macsmc_hwmon Total System Power: whole device")


def test_the_inputs_of_all_power_supplies_are_added_and_outputs_are_not(tree: Tree) -> None:
    for number in (4, 5):
        put(tree, f"sys/class/hwmon/hwmon{number}", name="dps800", power1_label="pin",
            power1_input=100 * MICRO, power2_label="pout1", power2_input=90 * MICRO)  # fmt: skip
    assert seen(tree).power_watts == 200


def test_processor_meters_say_that_they_cover_the_processor_only(tree: Tree) -> None:
    put(tree, "sys/class/hwmon/hwmon2", name="fam15h_power", power1_input=25 * MICRO)
    sample = seen(tree)
    assert sample.power_watts == 25
    assert origin(sample)[1] == "fam15h_power: processor only"


def test_the_only_meter_of_a_board_says_that_its_load_is_not_known(tree: Tree) -> None:
    put(tree, "sys/class/hwmon/hwmon2", name="ina219", power1_input=3 * MICRO)
    sample = seen(tree)
    assert sample.power_watts == 3
    assert "what it feeds is not known" in origin(sample)[1]
    put(tree, "sys/class/hwmon/hwmon3", name="ina226", power1_input=8 * MICRO)
    assert math.isnan(seen(tree).power_watts)  # neither of two can be taken for the input


def test_sockets_of_amd_energy_are_differentiated_and_cores_left_out(tree: Tree) -> None:
    def energy(joules: int) -> None:
        put(tree, "sys/class/hwmon/hwmon2", name="amd_energy", energy1_label="Ecore000",
            energy1_input=joules * MICRO, energy9_label="Esocket0",
            energy9_input=joules * MICRO)  # fmt: skip

    energy(100)
    with opened(tree.suite()) as suite:
        energy(150)
        assert later(tree, suite).power_watts == 10  # 20 with the cores of the socket added
        energy(0)
        sample = later(tree, suite)
        assert math.isnan(sample.power_watts)  # a reset: no power of -30 W, and no wrap


# -- RAPL ---------------------------------------------------------------------


def test_zone_numbers_may_be_hexadecimal(tree: Tree) -> None:
    numbers = [*range(9), 10, 31]

    def all_zones(joules: float) -> None:
        for number in numbers:
            zone(tree, f"intel-rapl:{number:x}", f"package-{number}", joules)

    all_zones(0)
    with opened(tree.suite()) as suite:
        all_zones(5)
        assert later(tree, suite).power_watts == 11  # 9 without `a` and `1f`


def test_the_mmio_tree_is_read_only_where_it_is_the_only_one(tree: Tree) -> None:
    zone(tree, "intel-rapl-mmio:0", "package-0", 0)
    with opened(tree.suite()) as suite:
        zone(tree, "intel-rapl-mmio:0", "package-0", 50)
        assert later(tree, suite).power_watts == 10


@pytest.mark.parametrize(("vendor", "watts"), [("AuthenticAMD", 10), ("GenuineIntel", 20)])
def test_dies_of_an_amd_package_show_the_same_counter(
    tree: Tree, vendor: str, watts: float
) -> None:
    tree.put("proc/cpuinfo", f"processor\t: 0\nvendor_id\t: {vendor}\n")

    def dies(joules: float) -> None:
        zone(tree, "intel-rapl:0", "package-0-die-0", joules)
        zone(tree, "intel-rapl:1", "package-0-die-1", joules)

    dies(0)
    with opened(tree.suite()) as suite:
        dies(50)
        assert later(tree, suite).power_watts == watts


def test_a_platform_below_its_own_packages_is_not_believed(tree: Tree) -> None:
    def both(package: float, platform: float) -> None:
        zone(tree, "intel-rapl:0", "package-0", package)
        zone(tree, "intel-rapl:1", "psys", platform)

    both(0, 0)
    with opened(tree.suite()) as suite:
        for step in range(1, 5):
            both(50 * step, 0.5 * step)
            sample = later(tree, suite)
            assert sample.power_watts == 10  # neither the 0.1 W of an unwired psys nor 10.1 W
            assert origin(sample)[1] == "RAPL package-0: processor only"
        assert suite.energy().source == "RAPL package-0: processor only"


def test_a_wrap_above_the_limit_of_the_package_is_a_reset(tree: Tree) -> None:
    limits = {"max_energy_range_uj": 262_143_328_850, "constraint_0_power_limit_uw": 15 * MICRO}
    zone(tree, "intel-rapl:0", "package-0", 261_143, **limits)
    with opened(tree.suite()) as suite:
        zone(tree, "intel-rapl:0", "package-0", 1)
        assert math.isnan(later(tree, suite).power_watts)  # not the 200 W of a wrap
        zone(tree, "intel-rapl:0", "package-0", 51)
        assert later(tree, suite).power_watts == 10


def test_a_counter_for_root_only_names_the_exact_remedy(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone(tree, "intel-rapl:0", "package-0", 0)
    real = os.open

    def refusing(path: str, flags: int, *more: int) -> int:
        if path.endswith("energy_uj"):
            raise PermissionError(13, "Permission denied", path)
        return real(path, flags, *more)

    monkeypatch.setattr(os, "open", refusing)
    with opened(tree.suite()) as suite:
        reports = {report.name: report for report in suite.describe()}
        power = reports["device power"]
        assert "may not be read by this user" in power.missing
        assert "/etc/tmpfiles.d/amptalk-rapl.conf" in power.remedy
        assert 'SUBSYSTEM=="powercap"' in power.remedy
        assert "CVE-2020-8694" in power.remedy


# -- the order of choice ------------------------------------------------------


def test_a_source_that_fails_once_is_missing_and_not_replaced_by_a_part(tree: Tree) -> None:
    put(tree, HWMON, name="ina3221", in1_label="VDD_IN", in1_input=5000, curr1_input=4000)
    zone(tree, "intel-rapl:0", "package-0", 0)
    with opened(tree.suite()) as suite:
        put(tree, HWMON, curr1_input="")
        for joules in (25, 50, 75):
            zone(tree, "intel-rapl:0", "package-0", joules)
            assert math.isnan(later(tree, suite).power_watts)  # not the 5 W of the processor
        zone(tree, "intel-rapl:0", "package-0", 100)
        later(tree, suite)
        zone(tree, "intel-rapl:0", "package-0", 125)
        sample = later(tree, suite)
        assert sample.power_watts == 5
        assert origin(sample)[1].endswith("processor only")


def test_no_power_at_all_cannot_be(tree: Tree) -> None:
    put(tree, HWMON, name="ina3221", in1_label="VDD_IN", in1_input=0, curr1_input=0)
    sample = seen(tree)
    assert math.isnan(sample.power_watts)
    assert "0 W cannot be" in sample.missing["power_watts"]


def test_a_chip_keeps_its_name_when_its_number_moves(tree: Tree, tmp_path: Path) -> None:
    device = tmp_path / "sys/devices/platform/i2c-1/1-0040"
    device.mkdir(parents=True)

    def chip(number: int) -> None:
        folder = f"sys/class/hwmon/hwmon{number}"
        put(tree, folder, name="ina219", power1_input=3 * MICRO)
        (tmp_path / folder / "device").symlink_to(device)

    chip(3)
    first = origin(seen(tree))
    for entry in (tmp_path / "sys/class/hwmon/hwmon3").iterdir():
        entry.unlink()
    chip(11)
    assert origin(seen(tree)) == first
    assert "platform/i2c-1/1-0040" in first[1]
