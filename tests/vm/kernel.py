"""Debian's current kernel image with the drivers the tests are about, kept in a cache.

The package is downloaded and unpacked, never installed. Kept are the kernel and the modules
wanted, about 12 MB, under the package's name and version; another version or another list of
modules is another entry.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.vm.needs import Unavailable, apt, find

META_PACKAGE = "linux-image-amd64"
MODULES = {
    "virtio_pci": "", "9pnet_virtio": "", "9p": "", "overlay": "", "virtio_blk": "",
    "i2c-dev": "", "i2c-stub": "chip_addr=0x48,0x49", "lm75": "", "tmp102": "",
    "acpi-cpufreq": "", "battery": "", "ac": "",
    # Without this the driver asks whether the maker is IBM before it shows a power cap.
    "acpi_power_meter": "force_cap_on=1",
    "zram": "num_devices=1",
}  # fmt: skip
"""Modules that the guest loads, in this order, with their parameters."""


class Kernel(NamedTuple):
    """A kernel and its modules, as files in the cache."""

    release: str
    image: Path
    modules: tuple[tuple[Path, str], ...]
    """Module files in the order of loading, each with its parameters."""


def cache() -> Path:
    """The folder that kernels are kept in."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "amptalk" / "vm"


def obtain() -> Kernel:
    """Debian's current kernel, from the cache or downloaded. Raises `Unavailable`."""
    try:
        package, version = _current()
        return _from_cache(package, version)
    except Unavailable:
        apt(["apt-get", "update"])  # no lists, or ones whose package is no longer there
        package, version = _current()
        return _from_cache(package, version)


def _current() -> tuple[str, str]:
    """Name and version of the package that the kernel's meta-package stands for."""
    for line in apt(["apt-cache", "depends", META_PACKAGE]).splitlines():
        relation, _, package = line.strip().partition(": ")
        if relation == "Depends" and package.startswith("linux-image-"):
            for told in apt(["apt-cache", "policy", package]).splitlines():
                what, _, version = told.strip().partition(": ")
                if what == "Candidate" and version != "(none)":
                    return package, version
    raise Unavailable(f"apt knows no {META_PACKAGE}: not a Debian, or one without package lists")


def _from_cache(package: str, version: str) -> Kernel:
    wanted = hashlib.sha256(repr(MODULES).encode()).hexdigest()[:8]
    folder = cache() / f"{package}_{version.replace(':', '.')}_{wanted}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as work:
            made = _unpack(package, version, Path(work))
            try:
                made.rename(folder)
            except OSError:
                if not folder.exists():  # else another run was quicker
                    raise
    modules = [
        (folder / name, options)
        for name, _, options in (
            line.partition(" ") for line in (folder / "order").read_text().splitlines()
        )
    ]
    return Kernel(package.removeprefix("linux-image-"), folder / "vmlinuz", tuple(modules))


def _unpack(package: str, version: str, work: Path) -> Path:
    """Download the package and keep what is wanted of it, in a folder of its own."""
    apt(["apt-get", "download", f"{package}={version}"], folder=work)
    deb = next(work.glob("*.deb"))
    whole, kept = work / "whole", work / "kept"
    release = package.removeprefix("linux-image-")
    _run(find("dpkg-deb"), "--extract", str(deb), str(whole))
    _run(find("depmod"), "--basedir", str(whole), release)
    kept.mkdir()
    shutil.copy(whole / "boot" / f"vmlinuz-{release}", kept / "vmlinuz")
    order: dict[str, str] = {}
    for module, options in MODULES.items():
        for path in _with_dependencies(whole, release, module):
            name = path.name.removesuffix(".xz")
            compressed = path.suffix == ".xz"
            data = path.read_bytes()
            (kept / name).write_bytes(lzma.decompress(data) if compressed else data)
            order.setdefault(name, "")
        order[name] = options  # the module itself is the last of its own list
    (kept / "order").write_text("".join(f"{name} {options}\n" for name, options in order.items()))
    return kept


def _with_dependencies(whole: Path, release: str, module: str) -> list[Path]:
    """Files of a module and all it needs, in the order of loading; none where it is built in."""
    shown = _run(
        find("modprobe"), "--dirname", str(whole), "--set-version", release,
        "--show-depends", module,
    )  # fmt: skip
    lines = [line.split() for line in shown.splitlines()]
    return [Path(line[1]) for line in lines if line[0] == "insmod"]


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
    return done.stdout
