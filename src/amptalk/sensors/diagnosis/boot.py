"""Options of the kernel command line: how this machine is given one, and what was built in.

A remedy is the command for the file that this machine boots from: Raspberry Pi OS has one line in
`cmdline.txt`, Jetson Linux a line `APPEND` in `extlinux.conf`, Debian and its children
`/etc/default/grub`, Fedora and its relatives `grubby`. For anything else it is said in words.

Sources: raspberrypi.com "The Linux kernel: kernel command line", Jetson Linux Developer Guide
"L4T launcher", update-grub(8), grubby(8), Documentation/admin-guide/kernel-parameters.txt.
"""

from __future__ import annotations

from amptalk.sensors.diagnosis.machine import Machine
from amptalk.sensors.files import SensorFault, exists, read_once

_PI_FILES = ("/boot/firmware/cmdline.txt", "/boot/cmdline.txt")
_GRUB = "/etc/default/grub"
_EXTLINUX = "/boot/extlinux/extlinux.conf"


def with_option(machine: Machine, option: str) -> str:
    """The command that boots this machine with `option` from now on."""
    if machine.raspberry_pi:
        path = _pi_file(machine)
        return machine.on_host(f"sudo sed -i '1s/$/ {option}/' {path} && sudo reboot")
    if machine.jetson:
        return machine.on_host(
            f"sudo sed -i '/^ *APPEND /s/$/ {option}/' {_EXTLINUX} && sudo reboot"
        )
    if not machine.container:  # the container's distribution says nothing of the host's
        if machine.families & {"debian", "ubuntu"} and exists(f"{machine.top}{_GRUB}"):
            change = f"sudo sed -i 's/^GRUB_CMDLINE_LINUX=\"/&{option} /' {_GRUB}"
            return f"{change} && sudo update-grub && sudo reboot"
        if machine.families & {"fedora", "rhel"}:
            return f'sudo grubby --update-kernel=ALL --args="{option}" && sudo reboot'
    return machine.on_host(f"add {option} to the kernel command line of the boot loader and reboot")


def without_option(machine: Machine, option: str) -> str:
    """The command that boots this machine without `option` from now on."""
    path = ""
    if machine.raspberry_pi:
        path = _pi_file(machine)
    elif machine.jetson:
        path = _EXTLINUX
    if path:
        return machine.on_host(f"sudo sed -i 's/ *{option}//' {path} && sudo reboot")
    if not machine.container:
        if machine.families & {"debian", "ubuntu"} and exists(f"{machine.top}{_GRUB}"):
            return f"sudo sed -i 's/ *{option}//' {_GRUB} && sudo update-grub && sudo reboot"
        if machine.families & {"fedora", "rhel"}:
            return f'sudo grubby --update-kernel=ALL --remove-args="{option}" && sudo reboot'
    return machine.on_host(
        f"remove {option} from the kernel command line of the boot loader and reboot"
    )


def _pi_file(machine: Machine) -> str:
    """The file, which moved in 2023 (Debian 12); the newer place when neither can be seen."""
    there = (path for path in _PI_FILES if exists(f"{machine.top}{path}"))
    return next(there, _PI_FILES[0])


def built_in(machine: Machine, option: str) -> bool | None:
    """Whether the kernel was built with an option such as `CONFIG_PSI`; `None` if unknown."""
    try:
        text = read_once(f"{machine.top}/boot/config-{machine.kernel}")
    except SensorFault:
        try:
            import gzip

            text = gzip.decompress(read_once(f"{machine.roots.proc}/config.gz"))
        except (SensorFault, OSError, EOFError, ValueError):
            return None
    name = option.encode()
    return any(line in {name + b"=y", name + b"=m"} for line in text.splitlines())
