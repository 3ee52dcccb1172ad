"""What the host must have for the virtual machine, and installing it where that can be done."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

PACKAGES = {
    "qemu-system-x86_64": "qemu-system-x86",
    "iasl": "acpica-tools",
    "busybox": "busybox-static",
    "modprobe": "kmod",
    "dpkg-deb": "dpkg",
    "i2cset": "i2c-tools",
    "sensors": "lm-sensors",
    "vmstat": "procps",
}
"""Program to the Debian package that has it."""
INSTALLING = 300.0
"""Seconds that installing may take."""


class Unavailable(Exception):  # noqa: N818 - not an error: the tests are then skipped
    """The virtual machine cannot be had here; the text says why and what would help."""


def find(program: str) -> str:
    """Path of a program, looking where root's programs are too; empty when it is not there."""
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") or ""


def check(*, install: bool) -> None:
    """Raise `Unavailable` when something is missing and was not or could not be installed."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        raise Unavailable(
            f"this is {platform.system()} on {platform.machine()}: the guest runs the host's own "
            "Python on an emulated x86-64 processor, so the host must be Linux on x86-64"
        )
    wanted = missing()
    if wanted and install:
        _install(wanted)
        wanted = missing()
    if wanted:
        raise Unavailable(
            f"{', '.join(wanted)} not installed: "
            f"sudo apt-get install --no-install-recommends {' '.join(wanted)}"
        )


def missing() -> list[str]:
    """Packages whose programs are not there."""
    packages = [package for program, package in PACKAGES.items() if not find(program)]
    busybox = find("busybox")
    if busybox and b"/ld-linux" in Path(busybox).read_bytes():
        packages.append(PACKAGES["busybox"])  # needs libraries, which the first process has not
    return packages


def _install(packages: list[str]) -> None:
    if not find("apt-get"):
        raise Unavailable(f"no apt-get here to install {', '.join(packages)} with")
    if os.geteuid() != 0:
        raise Unavailable(f"only root can install {', '.join(packages)}")
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    try:
        apt(command)
    except Unavailable:
        apt(["apt-get", "update"])  # an image without package lists, or with old ones
        apt(command)


def apt(command: list[str], folder: Path | None = None) -> str:
    """Output of a command of apt. Raises `Unavailable` with the last words of one that failed."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=INSTALLING, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"`{' '.join(command)}`: {error}") from None
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines() or ["no output"]
        raise Unavailable(f"`{' '.join(command)}` failed: {words[-1]}")
    return done.stdout
