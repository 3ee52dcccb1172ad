"""One verdict from all causes: what counts, since when, and what cannot be seen."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.manager import ResourceManager
from amptalk.sensors.throttling import HOLD, Known, Throttling, verdict
from amptalk.sensors.throttling_readers import AT_MOST, Finding, ProcessorCounters
from tests.sensors.test_container import V2_MOUNT, v2_group
from tests.sensors.test_power import put
from tests.sensors.trees import VMSTAT, Tree, opened, psi

CPU = "sys/devices/system/cpu"
FIRMWARE = "sys/devices/platform/soc/soc:firmware/get_throttled"


def judged(tree: Tree, *steps: tuple[str, str]) -> Throttling:
    """The verdict after a file was changed at each 5 s step."""
    with opened(tree.suite()) as suite:
        tree.clock.advance(0.3)
        suite.read()
        for path, text in steps:
            tree.put(path, text)
            tree.clock.advance(5)
            suite.read()
        return suite.throttling()


def causes(texts: tuple[str, ...]) -> set[str]:
    return {text.partition(":")[0] for text in texts}


def test_a_healthy_machine_is_not_slower_and_says_what_it_cannot_see(tree: Tree) -> None:
    found = judged(tree)
    assert found.slower is False
    assert found.since is None
    assert found.reasons == ()
    assert causes(found.unknown) == {"thermal", "power cap", "under-voltage", "frequency cap"}


def test_before_the_first_reading_nothing_is_claimed(tree: Tree) -> None:
    with opened(tree.suite()) as suite:
        assert suite.throttling().slower is None


def x86(tree: Tree) -> None:
    for cpu, (package, core) in enumerate([(0, 0), (0, 1), (0, 0), (0, 1)]):
        put(tree, f"{CPU}/cpu{cpu}/topology", physical_package_id=package, core_id=core)
        put(tree, f"{CPU}/cpu{cpu}/thermal_throttle", core_throttle_count=7,
            package_throttle_count=9)  # fmt: skip


def test_throttle_counters_tell_by_their_difference_once_a_core_and_package(tree: Tree) -> None:
    x86(tree)
    assert judged(tree).slower is False  # the 9 of the past are not the present
    with opened(tree.suite()) as suite:
        for cpu in range(4):
            put(tree, f"{CPU}/cpu{cpu}/thermal_throttle", package_throttle_count=12)
        tree.clock.advance(5)
        suite.read()
        found = suite.throttling()
    assert found.reasons == ("thermal: package 0: 3 events",)  # not 12


def test_the_cost_on_a_server_is_bounded_and_packages_come_first(tree: Tree) -> None:
    for cpu in range(100):
        put(tree, f"{CPU}/cpu{cpu}/topology", physical_package_id=cpu // 50, core_id=cpu % 50)
        put(tree, f"{CPU}/cpu{cpu}/thermal_throttle", core_throttle_count=0,
            package_throttle_count=0)  # fmt: skip
    reader = ProcessorCounters(tree.roots)
    reader.discover()
    files = list(reader._files)
    assert len(files) == AT_MOST
    assert [file.endswith("package_throttle_count") for file in files[:3]] == [True, True, False]


def test_a_power_limit_of_the_package_is_a_power_cap(tree: Tree) -> None:
    path = f"{CPU}/cpu0/thermal_throttle/package_power_limit_count"
    tree.put(path, "3\n")
    assert causes(judged(tree, (path, "4\n")).reasons) == {"power cap"}


def test_since_is_the_first_sight_and_a_cause_ends_10_s_after_the_last(tree: Tree) -> None:
    path = f"{CPU}/cpu0/thermal_throttle/package_throttle_count"
    x86(tree)
    with opened(tree.suite()) as suite:
        begun = 0.0
        for count, slower in ((10, True), (11, True), (11, True), (11, False), (11, False)):
            tree.put(path, str(count))
            tree.clock.advance(5)
            sample = suite.read()
            begun = begun or sample.time
            assert suite.throttling().slower is slower
            assert suite.throttling().since == (begun if slower else None)


@pytest.mark.parametrize(
    ("bits", "seen"),
    [
        ("1", {"under-voltage"}),
        ("2", {"frequency cap"}),
        ("4", {"thermal"}),
        ("8", {"thermal"}),
        ("d", {"under-voltage", "thermal"}),
        ("0x5", {"under-voltage", "thermal"}),
        ("10", set()),  # hexadecimal: bit 4, which means nothing; decimal 10 would be bits 1 and 3
    ],
)
def test_bits_of_the_firmware_are_hexadecimal(tree: Tree, bits: str, seen: set[str]) -> None:
    tree.put(FIRMWARE, bits + "\n")
    found = judged(tree)
    assert causes(found.reasons) == seen
    assert found.slower is bool(seen)


def test_what_occurred_before_the_start_is_not_the_present(tree: Tree) -> None:
    tree.put(FIRMWARE, "50000\n")
    assert judged(tree).slower is False


def test_a_bit_that_appeared_between_two_readings_was_active(tree: Tree) -> None:
    tree.put(FIRMWARE, "0\n")
    found = judged(tree, (FIRMWARE, "10000\n"))
    assert causes(found.reasons) == {"under-voltage"}  # bit 0 alone would have missed it


def test_an_unreadable_flag_is_unknown_and_not_clear(tree: Tree) -> None:
    tree.put(FIRMWARE, "many\n")
    found = judged(tree)
    assert causes(found.unknown) >= {"thermal", "under-voltage"}
    assert any("not hexadecimal" in text for text in found.unknown)


def test_the_alarm_of_the_kernel_is_kept_after_it_was_cleared(tree: Tree) -> None:
    alarm = "sys/class/hwmon/hwmon1/in0_lcrit_alarm"
    tree.put("sys/class/hwmon/hwmon1/name", "rpi_volt\n")
    tree.put(alarm, "0\n")
    found = judged(tree, (alarm, "1\n"), (alarm, "0\n"))
    assert found.reasons == ("under-voltage: rpi_volt raises its alarm",)
    assert judged(tree, (alarm, "1\n"), (alarm, "0\n"), (alarm, "0\n")).slower is False


def test_over_current_events_of_a_jetson_are_counted(tree: Tree) -> None:
    folder = "sys/class/hwmon/hwmon10"
    put(tree, folder, name="soctherm_oc", oc1_event_cnt=4, oc2_event_cnt=5, oc3_event_cnt=6)
    assert judged(tree).slower is False
    found = judged(tree, (f"{folder}/oc1_event_cnt", "5\n"), (f"{folder}/oc3_event_cnt", "8\n"))
    assert found.reasons == ("under-voltage: oc1: 1 event", "power cap: oc3: 2 events")


def test_a_counter_that_went_back_is_no_event(tree: Tree) -> None:
    folder = "sys/class/hwmon/hwmon10"
    put(tree, folder, name="soctherm_oc", oc1_event_cnt=4)
    assert judged(tree, (f"{folder}/oc1_event_cnt", "0\n")).slower is False


def test_cooling_of_the_processor_counts_and_a_fan_does_not(tree: Tree) -> None:
    thermal = "sys/class/thermal"
    put(tree, f"{thermal}/cooling_device0", type="pwm-fan", cur_state=3, max_state=4)
    put(tree, f"{thermal}/cooling_device1", type="intel_powerclamp", cur_state=-1, max_state=100)
    put(tree, f"{thermal}/cooling_device2", type="thermal-cpufreq-0", cur_state=0, max_state=5)
    assert judged(tree).slower is False
    found = judged(tree, (f"{thermal}/cooling_device2/cur_state", "2\n"))
    assert found.reasons == ("thermal: thermal-cpufreq-0 cools in step 2 of 5",)


def test_a_capped_frequency_is_seen_and_a_low_one_is_not(tree: Tree) -> None:
    for number in (0, 4):
        put(tree, f"{CPU}/cpufreq/policy{number}", scaling_cur_freq=600_000,
            scaling_max_freq=2_400_000, cpuinfo_max_freq=2_400_000)  # fmt: skip
    assert judged(tree).slower is False  # an idle core runs slowly without being held back
    found = judged(tree, (f"{CPU}/cpufreq/policy4/scaling_max_freq", "1500000\n"))
    assert found.reasons == ("frequency cap: policy4 may run at 1500 of 2400 MHz",)


def test_memory_pressure_and_swapping_are_causes(tree: Tree) -> None:
    with opened(tree.suite()) as suite:
        tree.put("proc/pressure/memory", psi(9_000_000, 2_000_500))
        tree.put("proc/vmstat", VMSTAT.replace("pswpin 5", "pswpin 5000000"))
        tree.clock.advance(5)
        suite.read()
        assert causes(suite.throttling().reasons) == {"memory pressure", "swap"}


def test_pressure_that_is_switched_off_is_unknown(tree: Tree) -> None:
    tree.remove("proc/pressure/memory")
    found = judged(tree)
    assert "memory pressure" in causes(found.unknown)
    assert found.slower is False


def test_a_quota_that_holds_back_is_a_cause(tree: Tree) -> None:
    tree.cgroups("0::/app\n", V2_MOUNT)
    v2_group(tree, "/app", quota="50000 100000")
    with opened(tree.suite()) as suite:
        v2_group(tree, "/app", quota="50000 100000", used=2_500_000, throttled=2_000_000)
        tree.clock.advance(5)
        suite.read()
        (reason,) = suite.throttling().reasons
    assert reason == "cgroup quota: a quota of 0.5 cores held it back 40 % of the time"


def test_the_report_has_a_row_for_it(tree: Tree) -> None:
    tree.put(FIRMWARE, "4\n")
    with opened(tree.suite()) as suite:
        tree.clock.advance(5)
        row = suite.describe()[-1]
    assert row.name == "throttling"
    assert row.value.startswith("thermal: the firmware says throttled")


CAUSES = st.sampled_from(["thermal", "swap"])
FINDINGS = st.lists(st.builds(Finding, CAUSES, st.booleans(), st.sampled_from(["", "x"])))


@given(findings=FINDINGS)
def test_a_cause_is_either_a_reason_or_clear_or_unknown(findings: list[Finding]) -> None:
    found, held = verdict(None, {}, findings, 0, 100)
    seen = {one.cause for one in findings if one.seen}
    clear = {one.cause for one in findings if not one.seen and not one.text}
    assert causes(found.reasons) == seen == set(held)
    assert causes(found.unknown) == {one.cause for one in findings} - seen - clear
    assert found.slower is (True if seen else False if clear else None)
    assert (found.since is not None) == bool(seen)


@given(age=st.floats(0, 3 * HOLD))
def test_what_was_seen_is_kept_for_its_time(age: float) -> None:
    before = Throttling(True, 50.0, ("swap: x",), ())
    clear = [Finding("swap", seen=False, text="")]
    found, _held = verdict(before, {"swap": Known("x", 0.0)}, clear, age, 100 + age)
    assert found.slower is (age < HOLD)
    assert found.since == (50.0 if age < HOLD else None)


def test_a_manager_gives_its_verdict() -> None:
    with ResourceManager() as manager:
        found = manager.throttling()
    assert isinstance(found, Throttling)
    assert found.slower in {None, False, True}
    assert not math.isnan(found.since or 0.0)
