"""The three made-up devices and this machine, recorded and run through the whole library."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from amptalk.limits.limits import ResourceLimits
from amptalk.model.errors import ConfigurationError
from amptalk.model.level import Level
from amptalk.sensors.recorded.format import Frame, RecordingError, Writer
from amptalk.sensors.recorded.recorder import Recorder, record
from amptalk.sensors.suite import SensorSuite
from amptalk.simulation.replay import Moment, Replay, Summary
from tests.recordings import jetson_orin, laptop, raspberry_pi_5
from tests.recordings.make import DEVICES, HERE, make


@cache
def replayed(name: str) -> tuple[list[Moment], Summary]:
    with Replay(str(HERE / name), limits=ResourceLimits(max_temp_celsius=80)) as replay:
        assert replay.about.made_up
        moments = list(replay)
        return moments, replay.summary()


def between(name: str, first: float, last: float) -> list[Moment]:
    return [one for one in replayed(name)[0] if first <= one.seconds < last]


def values(moments: list[Moment], field: str) -> list[float]:
    return [one.tick.sample[field] for one in moments]


def caused(moments: list[Moment], cause: str) -> list[bool]:
    return [any(one.startswith(f"{cause}:") for one in m.throttling.reasons) for m in moments]


@pytest.mark.parametrize("name", DEVICES)
def test_the_script_writes_what_is_there_and_it_is_small(name: str, tmp_path: Path) -> None:
    make(tmp_path / name, name)
    for file in ("recording.json", "frames.jsonl"):
        assert (tmp_path / name / file).read_bytes() == (HERE / name / file).read_bytes()
    assert sum(one.stat().st_size for one in (HERE / name).iterdir()) < 300_000


@pytest.mark.parametrize("name", DEVICES)
def test_every_value_or_a_reason_with_paths_of_the_device(name: str) -> None:
    for moment in replayed(name)[0]:
        sample = moment.tick.sample
        missing = {field for field, value in sample.as_dict().items() if value is None}
        assert missing == set(moment.missing)
        assert not [why for why in moment.missing.values() if not why or "replay-" in why]


class TestRaspberryPi:
    name = "raspberry-pi-5"

    def test_under_voltage_is_seen_from_its_first_reading_on(self) -> None:
        began = raspberry_pi_5.LOW_FROM  # flags are read every 2 s
        low = between(self.name, began, raspberry_pi_5.LOW_TO)
        assert all(caused(low, "under-voltage"))
        since = {moment.throttling.since for moment in low}
        assert since == {1_790_000_000.0 + began}
        assert not any(caused(between(self.name, 0, began), "under-voltage"))
        assert not any(caused(between(self.name, 90, 999), "under-voltage"))

    def test_the_soft_temperature_limit_is_thermal_throttling(self) -> None:
        warm = between(self.name, raspberry_pi_5.WARM_FROM + 2.5, 999)
        assert all(caused(warm, "thermal"))
        assert not any(caused(between(self.name, 0, raspberry_pi_5.WARM_FROM), "thermal"))

    def test_temperature_goes_over_its_limit_and_the_strategy_holds_back(self) -> None:
        moments, summary = replayed(self.name)
        assert values(moments, "temperature_celsius")[0] == 52.0
        assert values(moments, "temperature_celsius")[-1] == pytest.approx(85.2)
        (violation,) = summary.violations
        assert violation.resource == "temperature"
        assert violation.peak == pytest.approx(85.2)
        assert moments[-1].tick.limits[0].level is Level.EMERGENCY
        assert moments[0].tick.decision.share("temperature") == 1.0
        assert moments[-1].tick.decision.share("temperature") < 0.5

    @pytest.mark.parametrize(
        ("field", "why"),
        [
            ("device.power_watts", "pmic_read_adc"),
            ("device.pressure_memory_percent", "pressure stall information is off"),
            ("container.memory_usage_mb", "cgroup_disable=memory"),
            ("device.gpu_utilization", "no GPU"),
            ("application.rss_mb", "not recorded"),
        ],
    )
    def test_what_is_missing_says_why(self, field: str, why: str) -> None:
        moments, _ = replayed(self.name)
        assert all(why in one.missing[field] for one in moments)

    def test_swap_on_zram_is_counted_in_the_pages_of_the_device(self) -> None:
        last = replayed(self.name)[0][-1].tick.sample
        assert last["device.swap_used_mb"] == 180.0
        assert last["device.swap_in_mb_s"] == pytest.approx(4 * 16384 / 2**20)
        assert last["cpu_percent"] == pytest.approx(75.0, abs=0.5)


class TestJetson:
    name = "jetson-orin"

    def test_power_is_that_of_the_input(self) -> None:
        for moment in between(self.name, 1.0, 999.0):
            origin = moment.tick.sample.provenance["device.power_watts"]
            measured = moment.seconds - moment.tick.sample.age("device.power_watts")
            assert "VDD_IN" in origin.source
            watts = jetson_orin.input_watts(round(measured))
            assert moment.tick.sample.power_watts == pytest.approx(watts)

    def test_the_zone_without_power_spoils_nothing(self) -> None:
        for moment in between(self.name, 1.0, 999.0):
            assert "temperature_celsius" not in moment.missing
            assert "tj-thermal" in moment.tick.sample.provenance["temperature_celsius"].source
            assert 51.0 <= moment.tick.sample.temperature_celsius <= 63.0

    def test_load_is_in_thousandths_and_the_gpu_is_the_boards_own(self) -> None:
        loads = set(values(replayed(self.name)[0], "gpu_utilization"))
        assert loads <= {jetson_orin.load(n) / 10 for n in range(20)}
        assert len(loads) > 1
        last = replayed(self.name)[0][-1]
        assert last.tick.sample["device.gpu_memory_total_mb"] == 7620.0
        assert "may not be read by this user" in last.missing["device.gpu_memory_used_mb"]

    def test_an_under_voltage_event_is_noticed_by_its_counter_and_passes(self) -> None:
        dip = jetson_orin.DIP
        assert not any(caused(between(self.name, 0, dip), "under-voltage"))
        seen = between(self.name, dip + 5, dip + 10)
        assert all(caused(seen, "under-voltage"))
        assert "oc1: 1 event" in seen[0].throttling.reasons[0]
        assert not any(caused(between(self.name, dip + 17, 999), "under-voltage"))

    def test_capped_clocks_are_seen_while_they_last(self) -> None:
        capped = jetson_orin.CAPPED_FROM
        assert not any(caused(between(self.name, 0, capped), "frequency cap"))
        assert all(caused(between(self.name, capped + 5, 999), "frequency cap"))


class TestLaptop:
    name = "laptop"

    def test_the_battery_is_the_power_while_it_discharges_whatever_its_sign(self) -> None:
        for moment in between(self.name, 5.0, laptop.PLUGGED_AT):
            sample = moment.tick.sample
            assert sample.power_watts == laptop.BATTERY_WATTS
            assert "battery BAT0" in sample.provenance["power_watts"].source

    def test_with_the_charger_the_platform_counter_takes_over(self) -> None:
        for moment in between(self.name, laptop.PLUGGED_AT + 5.0, 999.0):
            sample = moment.tick.sample
            assert sample.power_watts == pytest.approx(laptop.PLATFORM_WATTS, rel=1e-6)
            assert sample.provenance["power_watts"].source == "RAPL psys: whole device"

    def test_energy_is_right_across_the_wrap_where_the_plain_difference_is_absurd(self) -> None:
        _, summary = replayed(self.name)
        first = laptop.counter(0.0, laptop.PLATFORM_WATTS)
        last = laptop.counter(laptop.SECONDS, laptop.PLATFORM_WATTS)
        assert (last - first) / 1e6 == pytest.approx(-256_863.3, abs=0.1), "the naive value"
        assert summary.joules == pytest.approx(laptop.PLATFORM_WATTS * laptop.SECONDS, rel=1e-6)
        assert summary.energy_source == "RAPL psys: whole device"

    def test_a_sub_zone_that_may_not_be_read_changes_nothing(self) -> None:
        assert b'"errno":"EACCES"' in (HERE / self.name / "frames.jsonl").read_bytes()
        moments, _ = replayed(self.name)
        lost = [one.seconds for one in moments if "power_watts" in one.missing]
        assert lost == [laptop.PLUGGED_AT], "the first reading of a counter tells no power"

    def test_throttle_counters_tell_heat_while_it_lasts(self) -> None:
        hot = between(self.name, laptop.HOT_FROM + 5, laptop.HOT_TO + 5)
        assert all(caused(hot, "thermal"))
        assert not any(caused(between(self.name, 0, laptop.HOT_FROM), "thermal"))
        assert not any(caused(between(self.name, laptop.HOT_TO + 15, 999), "thermal"))

    def test_the_package_is_the_temperature_and_the_drives_garbage_is_not(self) -> None:
        moments, _ = replayed(self.name)
        assert max(values(moments, "temperature_celsius")) == 97.0
        sources = {m.tick.sample.provenance["temperature_celsius"].source for m in moments[1:]}
        assert sources == {"x86_pkg_temp"}


def test_a_recording_of_this_machine_agrees_with_a_live_sample(tmp_path: Path) -> None:
    record(Recorder(), str(tmp_path / "new"), 0.4, 0.3, "test")
    suite = SensorSuite("device", threads=False)
    live = suite.read()
    suite.close()
    with Replay(str(tmp_path / "new")) as replay:
        last = list(replay)[-1].tick.sample
    assert not replay.about.made_up
    for field in ("memory_total_mb", "cpu_count", "swap_total_mb"):
        assert last[f"device.{field}"] == pytest.approx(live[f"device.{field}"], nan_ok=True)
    assert last["container.memory_limit_mb"] == pytest.approx(
        live["container.memory_limit_mb"], nan_ok=True
    )
    assert last.memory_used_mb == pytest.approx(live.memory_used_mb, rel=0.25, abs=500)
    assert 0.0 <= last.cpu_percent <= 100.0
    assert math.isnan(last.power_watts) == math.isnan(live.power_watts)


def test_an_application_is_replayed_when_it_was_recorded(tmp_path: Path) -> None:
    import os

    record(Recorder(pid=os.getpid()), str(tmp_path / "new"), 0.4, 0.3, "test")
    with Replay(str(tmp_path / "new"), scope="application") as replay:
        last = list(replay)[-1].tick.sample
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    assert last["application.rss_mb"] == pytest.approx(resident / 2**20, rel=0.2)
    assert last.memory_used_mb > 5.0
    with pytest.raises(ConfigurationError, match="--pid"):
        Replay(str(HERE / "laptop"), scope="application")


def test_a_recording_without_a_frame_says_so(tmp_path: Path) -> None:
    with Replay(str(HERE / "laptop")) as replay:
        Writer(str(tmp_path / "new"), replay.about).close()
    with Replay(str(tmp_path / "new")) as replay, pytest.raises(RecordingError, match="no frame"):
        list(replay)


@pytest.mark.parametrize("pace", [None, "waits"])
def test_frames_come_at_once_or_at_the_pace_of_the_recording(
    tmp_path: Path, pace: str | None
) -> None:
    with Replay(str(HERE / "laptop")) as replay:
        about = replay.about
    writer = Writer(str(tmp_path / "new"), about)
    for second in (0.0, 100.0):
        writer.add(Frame(second, {"proc/meminfo": b"%d" % second}))
    writer.close()
    waited: list[float] = []
    function: Callable[[float], None] | None = waited.append if pace else None
    with Replay(str(tmp_path / "new"), pace=function) as replay:
        assert [moment.seconds for moment in replay] == [0.0, 100.0]
    assert waited == ([pytest.approx(100.0, abs=5.0)] if pace else [])


def test_the_nvidia_driver_of_this_machine_is_not_asked_for_a_recorded_card(tmp_path: Path) -> None:
    with Replay(str(HERE / "laptop")) as replay:
        about = replay.about
    card = "sys/bus/pci/devices/0000:01:00.0"
    files = {f"{card}/vendor": b"0x10de\n", f"{card}/class": b"0x030000\n"}
    writer = Writer(str(tmp_path / "new"), about)
    writer.add(Frame(0.0, {**files, "proc/loadavg": b"1.00 2.00 3.00 1/2 3\n"}))
    writer.close()
    with Replay(str(tmp_path / "new")) as replay:
        (moment,) = replay
    assert "not in a recording" in moment.missing["device.gpu_utilization"]
    device = moment.tick.sample.device
    assert (device.load_1m, device.load_5m, device.load_15m) == (1.0, 2.0, 3.0), (
        "the load is the recorded device's"
    )
