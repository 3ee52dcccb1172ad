"""What the recorder keeps of a device, when, and what it leaves alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from amptalk.sensors.recorded import patience
from amptalk.sensors.recorded.format import Failed, RecordingError, read_about, read_frames
from amptalk.sensors.recorded.patience import Patience
from amptalk.sensors.recorded.recorder import Recorder
from amptalk.sensors.recorded.scrub import Scrubber
from amptalk.sensors.recorded.tree import Tree as LaidOut
from tests.helpers import ROOT, eventually
from tests.sensors.trees import PID, Tree, tree

__all__ = ["tree"]

ZONE = "sys/devices/virtual/thermal/thermal_zone0"
CARD = "sys/devices/pci0000:00/0000:01:00.0"


def recorder(tree: Tree, pid: int | None = None) -> Recorder:
    return Recorder(tree.roots, pid=pid, clock=tree.clock, scrubber=Scrubber())


def with_zone(tree: Tree) -> None:
    tree.put(f"{ZONE}/type", "cpu-thermal\n")
    tree.put(f"{ZONE}/temp", "41000\n")
    folder = tree.root / "sys/class/thermal"
    folder.mkdir(parents=True)
    (folder / "thermal_zone0").symlink_to("../../devices/virtual/thermal/thermal_zone0")


def test_the_first_frame_has_all_and_later_ones_what_changed(tree: Tree) -> None:
    with_zone(tree)
    one = recorder(tree)
    first = one.frame()
    assert first.files[f"{ZONE}/temp"] == b"41000\n"
    assert first.files[f"{ZONE}/type"] == b"cpu-thermal\n"
    link = "sys/class/thermal/thermal_zone0"
    assert first.links[link] == "../../devices/virtual/thermal/thermal_zone0"
    tree.put(f"{ZONE}/temp", "42000\n")
    tree.clock.advance(1.0)
    second = one.frame()
    assert dict(second.files) == {f"{ZONE}/temp": b"42000\n"}
    assert not second.links
    assert second.seconds == 1.0
    tree.remove(f"{ZONE}/temp")
    tree.clock.advance(1.0)
    assert dict(one.frame().files) == {f"{ZONE}/temp": None}


def test_the_device_is_looked_over_anew_after_a_minute(tree: Tree) -> None:
    with_zone(tree)
    one = recorder(tree)
    one.frame()
    tree.put(f"{ZONE}/trip_point_0_type", "passive\n")
    tree.put(f"{ZONE}/type", "other\n")
    tree.clock.advance(59.0)
    assert not one.frame().files
    tree.clock.advance(2.0)
    found = one.frame().files
    assert found[f"{ZONE}/type"] == b"other\n"
    assert found[f"{ZONE}/trip_point_0_type"] == b"passive\n"


def test_a_laid_out_recording_is_recorded_again_just_so_errors_included(tree: Tree) -> None:
    with_zone(tree)
    tree.put("sys/class/powercap/intel-rapl:0/name", "package-0\n")
    tree.put("sys/class/powercap/intel-rapl:0/energy_uj", "77\n")
    first = recorder(tree).frame()
    with LaidOut(os.sysconf("SC_PAGE_SIZE")) as laid_out:
        laid_out.apply(first)
        own = f"proc/{os.getpid()}/"
        again = Recorder(laid_out.roots, clock=tree.clock, scrubber=Scrubber()).frame()
        wanted = {path: said for path, said in first.files.items() if not path.startswith(own)}
        assert {path: again.files.get(path) for path in wanted} == wanted


def gpu(tree: Tree, status: str) -> None:
    tree.put(f"{CARD}/power/runtime_status", f"{status}\n")
    tree.put(f"{CARD}/power/control", "auto\n")
    tree.put(f"{CARD}/vendor", "0x1002\n")
    tree.put(f"{CARD}/class", "0x030000\n")
    tree.put(f"{CARD}/gpu_busy_percent", "7\n")
    tree.put(f"{CARD}/hwmon/hwmon4/name", "amdgpu\n")
    tree.put(f"{CARD}/hwmon/hwmon4/power1_average", "9000000\n")
    for link, target in (
        ("sys/class/drm/card0/device", "../../../devices/pci0000:00/0000:01:00.0"),
        ("sys/bus/pci/devices/0000:01:00.0", "../../../devices/pci0000:00/0000:01:00.0"),
        ("sys/class/hwmon/hwmon4", "../../devices/pci0000:00/0000:01:00.0/hwmon/hwmon4"),
    ):
        place = tree.root / link
        if not place.is_symlink():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(target)


def test_a_sleeping_gpu_is_not_read_and_keeps_what_it_said_before(tree: Tree) -> None:
    gpu(tree, "suspended")
    one = recorder(tree)
    found = one.frame().files
    busy, watts = f"{CARD}/gpu_busy_percent", f"{CARD}/hwmon/hwmon4/power1_average"
    assert busy not in found
    assert watts not in found
    assert found[f"{CARD}/power/runtime_status"] == b"suspended\n"
    assert found[f"{CARD}/vendor"] == b"0x1002\n"
    assert "slept" in one.left_out[busy]
    gpu(tree, "active")
    tree.clock.advance(1.0)
    assert one.frame().files[busy] == b"7\n"
    gpu(tree, "suspended")
    tree.clock.advance(1.0)
    assert dict(one.frame().files) == {f"{CARD}/power/runtime_status": b"suspended\n"}


def test_hardware_addresses_in_names_are_replaced_the_same_in_every_frame(tree: Tree) -> None:
    mouse = "sys/class/power_supply/hid-aa:bb:cc:dd:ee:ff-battery"
    tree.put(f"{mouse}/type", "Battery\n")
    tree.put(f"{mouse}/capacity", "80\n")
    tree.put(f"{mouse}/serial_number", "aa:bb:cc:dd:ee:ff\n")
    one = recorder(tree)
    first = one.frame().files
    assert first["sys/class/power_supply/hid-mac1-battery/capacity"] == b"80\n"
    assert not [path for path in first if "aa:bb" in path or "serial" in path]
    tree.put(f"{mouse}/capacity", "79\n")
    tree.clock.advance(1.0)
    changed = dict(one.frame().files)
    assert changed == {"sys/class/power_supply/hid-mac1-battery/capacity": b"79\n"}


def test_control_groups_get_neutral_names_that_still_fit_together(tree: Tree) -> None:
    secret = "/user.slice/alice-7f3a.scope"
    tree.cgroups(f"0::{secret}\n", "30 20 0:1 / /sys/fs/cgroup rw - cgroup2 alice rw,nsdelegate\n")
    for name, text in (("memory.current", "5\n"), ("memory.max", "max\n"), ("cgroup.events", "")):
        tree.put(f"sys/fs/cgroup{secret}/{name}", text)
    frame = recorder(tree, PID).frame()
    assert frame.files[f"proc/{PID}/cgroup"] == b"0::/group1/group2\n"
    assert frame.files["sys/fs/cgroup/group1/group2/memory.current"] == b"5\n"
    mounts = frame.files[f"proc/{PID}/mountinfo"]
    assert isinstance(mounts, bytes)
    assert b"/sys/fs/cgroup rw - cgroup2 cgroup2 nsdelegate,rw" in mounts
    assert "alice" not in repr(frame)


def test_with_a_pid_the_application_is_kept_without_its_name(tree: Tree) -> None:
    tree.process(PID, children=(77,))
    tree.process(77, PID)
    frame = recorder(tree, PID).frame()
    for pid in (PID, 77):
        said = frame.files[f"proc/{pid}/stat"]
        assert isinstance(said, bytes)
        assert said.startswith(b"%d (recorded) S" % pid)
        assert f"proc/{pid}/statm" in frame.files
    assert "strange" not in repr(frame)
    assert frame.links["proc/self"] == str(PID)


def test_a_process_that_is_not_there_is_named(tree: Tree) -> None:
    with pytest.raises(RecordingError, match="no process 31337"):
        recorder(tree, 31337)


def test_a_file_that_never_answers_holds_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    release = threading.Event()
    real = patience.read

    def read(path: str) -> patience.Answer:
        if path.endswith("stuck"):
            release.wait(20.0)
        return real(path)

    monkeypatch.setattr(patience, "read", read)
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    paths = [str(tmp_path / name) for name in ("a", "stuck", "b")]
    reader = Patience(deadline=0.1)
    assert reader.read(paths) == {
        paths[0]: b"a", paths[1]: Failed("ETIMEDOUT"), paths[2]: b"b",
    }  # fmt: skip
    assert "did not answer" in reader.hung[paths[1]]
    assert reader.read(paths) == {paths[0]: b"a", paths[2]: b"b"}
    release.set()


def test_interrupting_leaves_a_whole_recording(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    process = subprocess.Popen(
        [sys.executable, "-m", "amptalk.cli.main", "record", str(folder), "--interval", "0.1"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        frames = folder / "frames.jsonl"
        eventually(lambda: frames.exists() and frames.read_text().count("\n") > 2, "three frames")
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert "amptalk replay" in output
    assert read_about(str(folder)).amptalk
    assert len(list(read_frames(str(folder)))) > 2
    assert json.loads((folder / "recording.json").read_text())["made_up"] is False
