"""Nothing that is kept tells which device it is or whose."""

from __future__ import annotations

import getpass
import platform
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.sensors.recorded.catalogue import NEVER, PLACES, wanted
from amptalk.sensors.recorded.format import encode
from amptalk.sensors.recorded.recorder import Recorder
from amptalk.sensors.recorded.scrub import Scrubber, reduce

MAC = st.lists(st.integers(0, 255), min_size=6, max_size=6).map(
    lambda numbers: ":".join(f"{number:02x}" for number in numbers)
)


@given(MAC, st.uuids(), st.sampled_from(["", "hid-", "battery "]))
def test_addresses_and_identifiers_are_replaced_the_same_way_each_time(
    mac: str, uuid: object, before: str
) -> None:
    scrubber = Scrubber()
    text = f"{before}{mac}-battery {uuid} {str(uuid).replace('-', '')} 28-0123456789ab"
    shown = scrubber.identifiers(text)
    for secret in (mac, str(uuid), str(uuid).replace("-", ""), "0123456789ab"):
        assert secret not in shown
    assert scrubber.identifiers(text) == shown
    assert scrubber.identifiers(mac.upper()) == scrubber.identifiers(mac)


@given(st.text("0123456789 -.\n", max_size=60))
def test_figures_are_kept_as_they_are(text: str) -> None:
    assert Scrubber(["7"]).file("sys/class/x/temp", text.encode()) == text.encode()


@pytest.mark.parametrize(
    "path", ["0000:01:00.0", "platform/1c40000.i2c/i2c-1/1-0040", "0003:1B1C:0C10.0001"]
)
def test_places_on_a_bus_are_no_identifiers(path: str) -> None:
    assert Scrubber().identifiers(path) == path


def test_names_of_host_and_user_are_taken_out_where_they_are_words() -> None:
    scrubber = Scrubber(["alice", "alices-laptop"])
    assert (
        scrubber.file("sys/x/label", b"alice's, malice, alices-laptop")
        == b"removed's, malice, removed"
    )
    assert scrubber.names_replaced == 2


@pytest.mark.parametrize(
    ("path", "said", "secrets", "kept"),
    [
        ("proc/cpuinfo", "model name\t: X\nSerial\t\t: 10000000abcd\n", ["abcd"], ["X"]),
        ("proc/cmdline", "root=UUID=ab user=alice psi=1 cgroup_disable=memory", ["alice", "UUID"],
         ["psi=1", "cgroup_disable=memory"]),
        ("proc/swaps", "Filename Type\n/home/alice/swap file 1 2 3\n", ["alice"], ["file 1 2 3"]),
        ("proc/swaps", "Filename Type\n/dev/zram0 partition 1 2 3\n", [], ["/dev/zram0"]),
        ("proc/stat", "cpu  1 2\nintr 9 8 7\nbtime 1700000000\n", ["btime", "8 7"], ["intr 9\n"]),
        ("proc/7/stat", "7 (my secret) app) S 1 7 " + "1 " * 45, ["secret", "app"],
         ["7 (recorded) S 1"]),
        ("proc/7/fdinfo/3", "drm-pdev:\t0\ndrm-client-name:\tsecret\n", ["secret"], ["drm-pdev"]),
        ("sys/fs/cgroup/memory/release_agent", "/opt/secret\n", ["secret"], []),
        ("sys/kernel/debug/nvmap/iovmm/clients",
         "CLIENT PROCESS PID SIZE\nuser secret app 12 40K\n",
         ["secret", "app"], ["user process 12 40K"]),
        ("sys/devices/virtual/kfd/kfd/x/properties", "unique_id 77\ndomain 0\n", ["77"],
         ["domain 0"]),
    ],
)  # fmt: skip
def test_tables_are_reduced_to_what_is_of_use(
    path: str, said: str, secrets: list[str], kept: list[str]
) -> None:
    shown = reduce(path, said.encode())
    assert shown is not None
    assert not [secret for secret in secrets if secret in shown.decode()]
    assert all(part in shown.decode() for part in kept)


@pytest.mark.parametrize(
    "name",
    ["serial_number", "uevent", "address", "uuid", "unique_id", "product_serial", "edid", "config",
     "reset", "remove", "trigger", "rom", "temp1_reset_history", "chassis_asset_tag"],
)  # fmt: skip
def test_what_identifies_or_acts_is_kept_nowhere(name: str) -> None:
    assert not wanted(name, ("*",))
    assert NEVER
    for place in PLACES:
        assert not wanted(name, (*place.changing, *place.fixed, *place.links))


def test_nothing_recorded_here_tells_this_host_its_user_or_the_command_line() -> None:
    recorder = Recorder()
    about = recorder.about(1.0, "x")
    text = encode(recorder.frame()) + repr(about)
    secrets = {platform.node(), getpass.getuser()}
    for path in ("/etc/machine-id", "/proc/sys/kernel/random/boot_id"):
        if Path(path).exists():
            secrets.add(Path(path).read_text().strip())
    for word in filter(None, secrets):
        found = re.search(rf"(?<![\w./-]){re.escape(word)}(?![\w])", text)
        assert found is None, (
            f"{word!r} in ...{text[max(0, found.start() - 60) : found.end() + 20]}"
        )
    arguments = Path("/proc/self/cmdline").read_bytes().split(b"\0")
    assert not [one for one in arguments if len(one) > 6 and one.decode() in text]
    groups = Path("/proc/self/cgroup").read_text().split()
    parts = {part for line in groups for part in line.split(":")[2].split("/") if part}
    assert not [part for part in parts if part in text]
