"""What kind of machine this is, as far as it decides which command helps.

Model, kernel, container or virtual machine, boot options, and what the user may do. Everything is
read beneath the roots, so a recorded tree tells the same. Serial numbers are not read.

A container is known by its name spaces, not by a file such as `/.dockerenv` alone: virtual
machines are built from container images too.
"""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

from amptalk.sensors.files import SensorFault, exists, read_text, text_or_nothing
from amptalk.sensors.roots import Roots

_FIRST_NAMESPACES = {
    "pid": "pid:[4026531836]",
    "cgroup": "cgroup:[4026531835]",
    "uts": "uts:[4026531838]",
    "ipc": "ipc:[4026531839]",
}
"""The name spaces of the machine itself (PROC_*_INIT_INO in include/linux/proc_ns.h)."""
_NO_MODEL = {"", "default string", "to be filled by o.e.m.", "system product name", "none"}
_HYPERVISORS = (
    ("qemu", "QEMU"), ("kvm", "KVM"), ("vmware", "VMware"), ("innotek", "VirtualBox"),
    ("virtualbox", "VirtualBox"), ("xen", "Xen"), ("amazon ec2", "Amazon EC2"),
    ("google", "Google Compute Engine"), ("virtual machine", "Hyper-V"),
)  # fmt: skip


class User(NamedTuple):
    """Who asks."""

    name: str
    root: bool
    groups: frozenset[str]


class Machine(NamedTuple):
    """One machine, as its kernel's files describe it; a text that is not known is empty."""

    roots: Roots
    system: str
    """`Linux`, `Darwin` or `Windows`."""
    kernel: str
    """Its release."""
    model: str
    processor: str
    """`Intel`, `AMD` or empty."""
    distribution: str
    """As its makers write it, such as `Debian GNU/Linux 12 (bookworm)`."""
    families: frozenset[str]
    """The distribution's identifier and those it is derived from, such as `debian`."""
    container: str
    """Kind of container, empty outside of one."""
    virtual: str
    """Kind of virtual machine, empty outside of one."""
    boot: tuple[str, ...]
    """Options of the kernel command line, in their order."""
    user: User

    @property
    def top(self) -> str:
        """The folder that `/dev` and `/etc` are in: empty for the running machine."""
        return self.roots.proc.removesuffix("/proc")

    @property
    def raspberry_pi(self) -> bool:
        """Whether it is one."""
        return "Raspberry Pi" in self.model

    @property
    def jetson(self) -> bool:
        """Whether it is one."""
        return "Jetson" in self.model or exists(f"{self.top}/etc/nv_tegra_release")

    @property
    def systemd(self) -> bool:
        """Whether systemd runs it (sd_booted(3))."""
        return exists(f"{self.top}/run/systemd/system")

    def loaded(self, module: str) -> bool:
        """Whether a kernel module is loaded or built in with parameters."""
        return exists(f"{self.roots.sys}/module/{module.replace('-', '_')}")

    def on_host(self, command: str) -> str:
        """The command, said to be for the host when this is a container."""
        return f"on the host: {command}" if self.container else command


def read_machine(roots: Roots, user: User | None = None) -> Machine:
    """Look at the machine. Never raises: what cannot be read is empty."""
    linux = not roots.real or sys.platform.startswith("linux")
    top = roots.proc.removesuffix("/proc")
    release = _release(f"{top}/etc/os-release")
    names = f"{release.get('ID', '')} {release.get('ID_LIKE', '')}"
    cpuinfo = text_or_nothing(f"{roots.proc}/cpuinfo")
    return Machine(
        roots=roots,
        system="Linux" if linux else _system(),
        kernel=text_or_nothing(f"{roots.proc}/sys/kernel/osrelease") if linux else "",
        model=_model(roots, cpuinfo),
        processor=_processor(cpuinfo),
        distribution=release.get("PRETTY_NAME", ""),
        families=frozenset(names.split()),
        container=_container(roots, top),
        virtual=_virtual(roots, cpuinfo),
        boot=tuple(text_or_nothing(f"{roots.proc}/cmdline").split()),
        user=_user() if user is None else user,
    )


def _system() -> str:
    return {"darwin": "Darwin", "win32": "Windows"}.get(sys.platform, sys.platform)


def _user() -> User:
    if not hasattr(os, "getuid"):
        return User(os.environ.get("USERNAME", ""), root=False, groups=frozenset())
    import grp
    import pwd

    groups = set()
    for number in {*os.getgroups(), os.getegid()}:
        try:
            groups.add(grp.getgrgid(number).gr_name)
        except KeyError:
            continue
    try:
        name = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        name = str(os.geteuid())
    return User(name, root=os.geteuid() == 0, groups=frozenset(groups))


def _release(path: str) -> dict[str, str]:
    """Parse os-release(5): `KEY=value`, with or without quotes."""
    pairs = (line.partition("=") for line in text_or_nothing(path).splitlines())
    return {key: value.strip("\"'") for key, equals, value in pairs if equals}


def _model(roots: Roots, cpuinfo: str) -> str:
    """From the device tree, else the firmware's tables; in a container from `cpuinfo`.

    Container runtimes hide `/sys/firmware`, where the device tree is.
    """
    model = text_or_nothing(f"{roots.proc}/device-tree/model").strip("\0 ")
    if model:
        return model
    folder = f"{roots.sys}/class/dmi/id"
    told = [text_or_nothing(f"{folder}/{name}") for name in ("sys_vendor", "product_name")]
    model = " ".join(one for one in told if one.lower() not in _NO_MODEL)
    if model:
        return model
    for line in cpuinfo.splitlines():
        if line.startswith("Model\t"):  # ARM: the board; `model name` is of a processor
            return line.partition(":")[2].strip()
    return ""


def _processor(cpuinfo: str) -> str:
    if "GenuineIntel" in cpuinfo:
        return "Intel"
    return "AMD" if "AuthenticAMD" in cpuinfo else ""


def _virtual(roots: Roots, cpuinfo: str) -> str:
    folder = f"{roots.sys}/class/dmi/id"
    told = " ".join(text_or_nothing(f"{folder}/{name}") for name in ("sys_vendor", "product_name"))
    for mark, name in _HYPERVISORS:
        if mark in told.lower():
            return name
    if "microsoft" in text_or_nothing(f"{roots.proc}/sys/kernel/osrelease").lower():
        return "WSL"
    flags = next((line for line in cpuinfo.splitlines() if line.startswith("flags")), "")
    if "hypervisor" in flags.split() or exists(f"{roots.proc}/device-tree/hypervisor"):
        return "an unknown hypervisor"
    return ""


def _container(roots: Roots, top: str) -> str:
    own = False
    known = False
    for name, first in _FIRST_NAMESPACES.items():
        try:
            own |= os.readlink(f"{roots.proc}/self/ns/{name}") != first
        except OSError:
            continue
        known = True
    if known and not own:
        return ""
    kind = _container_kind(roots, top)
    return kind or ("of an unknown kind" if own else "")


def _container_kind(roots: Roots, top: str) -> str:
    if roots.real and "KUBERNETES_SERVICE_HOST" in os.environ:
        return "Kubernetes"
    if exists(f"{top}/run/.containerenv"):
        return "podman"
    if exists(f"{top}/.dockerenv"):
        return "docker"
    try:
        return read_text(f"{top}/run/systemd/container")
    except SensorFault:
        return ""
