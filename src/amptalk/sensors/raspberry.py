"""Commands to the firmware of a Raspberry Pi, as `vcgencmd` gives them.

By the mailbox, `/dev/vcio`: one ioctl, no program started. Where the kernel has no such device
(older systems, whose `vcgencmd` speaks through `/dev/vchiq`) by the program, with a deadline. The
kernel waits for the firmware for up to a second, so this is for the slow thread.

A message is 32-bit words: its bytes, a code (0 asks; the answer has bit 31 set, and bit 0 when
the firmware could not parse it), the tag, the bytes of the tag's buffer, the bytes of the request,
an error number, 1024 bytes of text, a 0 at the end.
Formats: github.com/raspberrypi/firmware/wiki/Mailbox-property-interface and the tag
`GET_GENCMD_RESULT` of include/soc/bcm2835/raspberrypi-firmware.h.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from amptalk.sensors.files import SensorFault, exists, fault_of, text_or_nothing
from amptalk.sensors.roots import Roots

Firmware = Callable[[str], str]
"""Takes a command and returns the answer. Raises `SensorFault`; may take a second."""
_TAG = 0x00030080
_DONE = 0x80000000
_ROOM = 1024
_HEAD = 6
"""Words before the text."""
_DEADLINE = 1.5
"""Seconds for the program, within the deadline of the slow thread."""
VIDEO = "sudo usermod -aG video $USER, then log in again; in a container --device /dev/vcio"


def model(roots: Roots) -> str:
    """What the board calls itself, such as `Raspberry Pi 5 Model B Rev 1.0`; may be empty."""
    return text_or_nothing(f"{roots.proc}/device-tree/model").rstrip("\0")


def firmware(roots: Roots) -> Firmware | None:
    """The way to the firmware; `None` on other boards."""
    if not model(roots).startswith("Raspberry Pi"):
        return None
    device = f"{roots.dev}/vcio"

    def command(text: str) -> str:
        if roots.recorded:
            raise SensorFault(f"a recording does not hold what the firmware answers to {text!r}")
        return _by_mailbox(device, text) if exists(device) else _by_program(device, text)

    return command


def _by_mailbox(device: str, text: str) -> str:
    import fcntl
    import struct

    size = 4 * (_HEAD + 1) + _ROOM
    message = bytearray(struct.pack("=6I", size, 0, _TAG, _ROOM, 0, 0)).ljust(size, b"\0")
    message[4 * _HEAD : 4 * _HEAD + len(text)] = text.encode()
    # _IOWR(100, 0, char *) of the kernel's vcio driver
    request = 3 << 30 | struct.calcsize("P") << 16 | 100 << 8
    try:
        fd = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.ioctl(fd, request, message)
        finally:
            os.close(fd)
    except OSError as error:
        fault = fault_of(error, device)
        if error.errno in {errno.EACCES, errno.EPERM}:
            fault.remedy = VIDEO
        raise fault from None
    code, failed = struct.unpack_from("=4xI12xI", message)
    if code != _DONE:
        raise SensorFault(f"{device}: the firmware did not take {text!r} (code {code:#010x})")
    return _answer(device, text, failed, bytes(message[4 * _HEAD : -4]).partition(b"\0")[0])


def _by_program(device: str, text: str) -> str:
    import shutil
    import subprocess

    program = shutil.which("vcgencmd")
    if program is None:
        raise SensorFault(
            f"there is neither {device} nor vcgencmd to ask the firmware",
            "sudo apt install raspi-utils; in a container --device /dev/vcio",
        )
    try:
        done = subprocess.run(  # noqa: S603 - the command is ours
            [program, *text.split()],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_DEADLINE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SensorFault(f"{program} {text} did not answer within {_DEADLINE:g} s") from None
    except OSError as error:
        raise fault_of(error, program) from None
    said = done.stdout or done.stderr
    if done.returncode and b"ermission" in done.stdout + done.stderr:
        raise SensorFault(f"{program} may not ask the firmware: {_short(said)}", VIDEO)
    return _answer(program, text, done.returncode, said)


def _answer(source: str, text: str, failed: int, said: bytes) -> str:
    if failed or said.startswith(b"error="):
        raise SensorFault(f"{source}: the firmware refuses {text!r}: {_short(said) or failed}")
    return said.decode("ascii", "replace").strip()


def _short(said: bytes) -> str:
    return said.decode("ascii", "replace").strip()[:80]
