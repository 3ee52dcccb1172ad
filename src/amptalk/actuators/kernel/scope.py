"""Ask systemd for a group of our own that may be divided: a transient scope with delegation.

The user's service manager is asked by an ordinary user, the machine's by root. The scope holds this
process and what it starts; systemd removes it with the last of them. Where there is no systemd,
the reason says so. What the scope then really has is for `places` to find out.

Interface: org.freedesktop.systemd1(5), StartTransientUnit, by way of busctl(1).
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping

from amptalk.model.errors import ActionError
from amptalk.sensors.cgroups import membership
from amptalk.sensors.files import SensorFault, exists
from amptalk.sensors.roots import Roots

_BOOTED = "/run/systemd/system"
"""Exists where systemd is the first process: sd_booted(3)."""
_PATIENCE = 1.0
"""Seconds for the call, and for the move after it."""
_LOOK = 0.005
_CALL = (
    "call", "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
    "org.freedesktop.systemd1.Manager", "StartTransientUnit", "ssa(sv)a(sa(sv))",
)  # fmt: skip


def enter_scope(
    roots: Roots, pid: int, environment: Mapping[str, str], booted: str = _BOOTED
) -> None:
    """Have a process moved into a scope of its own. Raises `ActionError` saying why not."""
    if not exists(booted):
        raise ActionError("there is no systemd here that could give it a scope")
    user = os.geteuid() != 0
    if user and not environment.get("XDG_RUNTIME_DIR"):
        raise ActionError(
            "the user's systemd cannot be reached (XDG_RUNTIME_DIR is not set): log in through it, "
            "or `loginctl enable-linger`"
        )
    before = _groups(roots, pid)
    command = [
        "busctl", "--user" if user else "--system", "--quiet", *_CALL,
        f"amptalk-{pid}.scope", "fail", "3", "PIDs", "au", "1", str(pid), "Delegate", "b", "true",
        "CollectMode", "s", "inactive-or-failed", "0",
    ]  # fmt: skip
    try:
        done = subprocess.run(  # noqa: S603 - fixed words and numbers
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ActionError(f"systemd could not be asked for a scope: {error}") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise ActionError(f"systemd gives no scope: {said[-1] if said else done.returncode}")
    until = time.monotonic() + _PATIENCE
    while _groups(roots, pid) == before:
        if time.monotonic() > until:
            raise ActionError(f"systemd did not move it into its scope within {_PATIENCE:g} s")
        time.sleep(_LOOK)


def _groups(roots: Roots, pid: int) -> bytes:
    try:
        return membership(roots, pid)
    except SensorFault as fault:
        raise ActionError(fault.reason) from None
