"""A Raspberry Pi: power of its rails and flags, by the mailbox or by the program."""

from __future__ import annotations

import errno
import fcntl
import math
import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.sensors.files import SensorFault
from amptalk.sensors.power.pmic import watts_of_rails
from amptalk.sensors.raspberry import firmware
from tests.sensors.test_power import HWMON, put
from tests.sensors.trees import Tree, check_reasons, opened

NAMES = [
    *("3V7_WL_SW", "3V3_SYS", "1V8_SYS", "DDR_VDD2", "DDR_VDDQ", "1V1_SYS"),
    *("0V8_SW", "VDD_CORE", "3V3_DAC", "3V3_ADC", "0V8_AON", "HDMI"),
]


def pmic(amperes: float = 0.5, volts: float = 2.0) -> str:
    """The answer of a board whose rails all carry the same."""
    lines = [f" {name}_A current({n})={amperes:.8f}A" for n, name in enumerate(NAMES)]
    lines += [f" {name}_V volt({n + 8})={volts:.8f}V" for n, name in enumerate(NAMES)]
    return "\n".join([*lines, "     EXT5V_V volt(24)=5.14158000V", "      BATT_V volt(25)=3.28V"])


class Mailbox:
    """The kernel's driver and the firmware behind it."""

    def __init__(self, tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers = {"pmic_read_adc": pmic(), "get_throttled": "throttled=0x0"}
        self.code, self.error, self.number = 0x80000000, 0, 0
        tree.put("dev/vcio", "")
        monkeypatch.setattr(fcntl, "ioctl", self.ioctl)

    def ioctl(self, _fd: int, request: int, message: bytearray) -> int:
        assert request == 0xC0006400 | struct.calcsize("P") << 16
        size, code, tag, room, length, error = struct.unpack_from("=6I", message)
        assert (size, code, tag, room) == (len(message), 0, 0x00030080, 1024)
        assert length == error == 0
        assert size == 4 * 7 + 1024
        if self.number:
            raise OSError(self.number, os.strerror(self.number))
        command = bytes(message[24:]).partition(b"\0")[0].decode()
        text = self.answers[command].encode()
        struct.pack_into("=I", message, 4, self.code)
        struct.pack_into("=I", message, 20, self.error)
        message[24 : 24 + 1024] = text.ljust(1024, b"\0")
        return 0


def board(tree: Tree, name: str = "Raspberry Pi 5 Model B Rev 1.0") -> None:
    tree.put("proc/device-tree/model", name + "\0")


@pytest.fixture
def mailbox(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> Mailbox:
    board(tree)
    return Mailbox(tree, monkeypatch)


def test_the_rails_are_added_as_an_estimate_that_says_what_it_leaves_out(
    tree: Tree, mailbox: Mailbox
) -> None:
    with opened(tree.suite()) as suite:
        sample = suite.read()
        check_reasons(sample)
    assert sample.power_watts == pytest.approx(12)  # no 5 V input times nothing, no fitted factor
    origin = sample.provenance["power_watts"]
    assert origin.method == "estimated"
    assert "12 rails of the board, without the 5 V peripherals" in origin.source
    assert mailbox.answers


def test_a_meter_of_the_whole_device_counts_before_it_and_the_board_meter_after(
    tree: Tree, mailbox: Mailbox
) -> None:
    put(tree, "sys/class/hwmon/hwmon2", name="ina219", power1_input=3_000_000)
    with opened(tree.suite()) as suite:
        assert suite.read().power_watts == pytest.approx(12)
    put(tree, HWMON, name="ina3221", in1_label="VDD_IN", in1_input=5000, curr1_input=1200)
    with opened(tree.suite()) as suite:
        assert suite.read().power_watts == 6
    assert mailbox.answers


def test_a_device_that_may_not_be_opened_names_the_group(tree: Tree, mailbox: Mailbox) -> None:
    mailbox.number = errno.EACCES
    with opened(tree.suite()) as suite:
        assert "vcio may not be read by this user" in suite.read().missing["power_watts"]
        report = next(one for one in suite.describe() if one.name == "device power")
        assert "usermod -aG video" in report.remedy


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [(0, 0, "did not take"), (0x80000001, 0, "did not take"), (0x80000000, 1, "refuses")],
)
def test_a_firmware_that_refuses_is_a_reason(
    tree: Tree, mailbox: Mailbox, code: int, error: int, words: str
) -> None:
    mailbox.code, mailbox.error = code, error
    with opened(tree.suite()) as suite:
        sample = suite.read()
        check_reasons(sample)
        assert words in sample.missing["power_watts"]


def test_other_boards_are_not_asked_for_their_rails(tree: Tree, mailbox: Mailbox) -> None:
    board(tree, "Raspberry Pi 4 Model B Rev 1.4")
    del mailbox.answers["pmic_read_adc"]
    with opened(tree.suite()) as suite:
        assert "no power sensor" in suite.read().missing["power_watts"]
        mailbox.answers["get_throttled"] = "throttled=0x50005"
        tree.clock.advance(2)
        suite.read()
        assert suite.throttling().slower
    board(tree, "Some other board")
    assert firmware(tree.roots) is None


def test_flags_by_the_mailbox_are_kept_after_the_kernel_has_cleared_them(
    tree: Tree, mailbox: Mailbox
) -> None:
    with opened(tree.suite()) as suite:
        for answer in ("throttled=0x10000", *["throttled=0x0"] * 8):
            mailbox.answers["get_throttled"] = answer
            tree.clock.advance(2)
            suite.read()
            if answer != "throttled=0x0":
                assert suite.throttling().reasons == (
                    "under-voltage: the firmware says under-voltage",
                )
        found = suite.throttling()
        row = suite.describe()[-1]
    assert found.slower is False
    assert found.occurred == ("under-voltage",)
    assert "since the start it was, by under-voltage" in row.value


def script(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    folder.mkdir(exist_ok=True)
    program = folder / "vcgencmd"
    program.write_text("#!/bin/sh\n" + text)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_without_the_device_the_program_is_asked(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board(tree)
    (tmp_path / "answer").write_text(pmic(1.0, 1.0))
    script(tmp_path / "bin", monkeypatch, f'[ "$1" = pmic_read_adc ] && cat {tmp_path}/answer\n')
    with opened(tree.suite()) as suite:
        assert suite.read().power_watts == pytest.approx(12)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("echo 'VCHI: Permission denied' >&2; exit 255", "may not ask the firmware"),
        ("echo 'error=1 error_msg=\"Command not registered\"'", "refuses 'pmic_read_adc'"),
        ("exit 3", "refuses 'pmic_read_adc': 3"),
        ("exec sleep 60", "did not answer within"),
    ],
)
def test_a_program_that_fails_or_hangs_is_a_reason(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: str
) -> None:
    board(tree)
    script(tmp_path / "bin", monkeypatch, text + "\n")
    monkeypatch.setattr("amptalk.sensors.raspberry._DEADLINE", 0.2 if "sleep" in text else 20.0)
    command = firmware(tree.roots)
    assert command is not None
    with pytest.raises(SensorFault, match=words):
        command("pmic_read_adc")


def test_neither_device_nor_program_says_how_to_get_them(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    board(tree)
    monkeypatch.setenv("PATH", "/nonexistent")
    with opened(tree.suite()) as suite:
        assert "neither" in suite.read().missing["power_watts"]
        report = next(one for one in suite.describe() if one.name == "device power")
    assert "raspi-utils" in report.remedy


@given(
    st.lists(
        st.tuples(st.floats(0, 5), st.floats(0, 6)), min_size=1, max_size=12,
    ),
    st.randoms(),
)  # fmt: skip
def test_the_sum_is_that_of_the_products_in_any_order_of_lines(
    rails: list[tuple[float, float]], random: object
) -> None:
    lines = [f"{NAMES[n]}_A current({n})={amperes:.8f}A" for n, (amperes, _) in enumerate(rails)]
    lines += [f"{NAMES[n]}_V volt({n})={volts:.8f}V" for n, (_, volts) in enumerate(rails)]
    random.shuffle(lines)  # type: ignore[attr-defined]
    watts, count = watts_of_rails("\n".join([*lines, "EXT5V_V volt(24)=5.1V"]))
    assert watts == pytest.approx(sum(a * v for a, v in rails), abs=1e-5)
    assert count == len(rails)


@pytest.mark.parametrize(
    "text", ["", "EXT5V_V volt(24)=5.1V", "A_A current(0)=1.0A",
             "A_A current(0)=-1A\nA_V volt(1)=1V", "A_A current(0)=manyA\nA_V volt(1)=1V",
             "A_A current(0)=1V\nA_V volt(1)=1V",
             "A_A current(0)=nanA\nA_V volt(1)=1V"],
)  # fmt: skip
def test_an_answer_that_is_not_as_known_gives_no_part_of_a_sum(text: str) -> None:
    with pytest.raises(SensorFault, match="pmic_read_adc is not as documented"):
        watts_of_rails(text)


@given(st.text(max_size=80))
def test_no_answer_whatever_raises_another_error(text: str) -> None:
    try:
        watts, _rails = watts_of_rails(text)
    except SensorFault:
        return
    assert math.isfinite(watts)
