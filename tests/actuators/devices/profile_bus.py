"""A message bus of our own, with daemons of power profiles on it; both end by their pid."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jeepney import DBusAddress, Properties
from jeepney.io.blocking import Proxy, open_dbus_connection

from tests.actuators.devices import profile_daemon

BUS = shutil.which("dbus-daemon")
without_bus = pytest.mark.skipif(BUS is None, reason="no dbus-daemon here (Debian: dbus-daemon)")
NEW, OLD = "org.freedesktop.UPower.PowerProfiles", "net.hadess.PowerProfiles"
_CONFIGURATION = """
<busconfig><type>system</type><listen>unix:path={socket}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/>
<allow eavesdrop="true"/></policy></busconfig>
"""


class ProfileBus:
    """The bus, while the test runs. Ask it what the daemon says, or have somebody choose."""

    def __init__(self, folder: Path) -> None:
        assert BUS is not None
        self.address = f"unix:path={folder / 'bus'}"
        file = folder / "bus.conf"
        file.write_text(_CONFIGURATION.format(socket=folder / "bus"))
        self._processes: list[subprocess.Popen[str]] = []
        self.bus = self._started(
            [BUS, f"--config-file={file}", "--nofork", "--nopidfile", "--print-address"]
        )

    def daemon(self, **told: Any) -> subprocess.Popen[str]:
        """Start a daemon (see `profile_daemon`), by the newer name if nothing else is told."""
        words = {"names": [NEW], "profiles": ["power-saver", "balanced"], **told}
        return self._started([sys.executable, profile_daemon.__file__, json.dumps(words)])

    def _started(self, command: list[str]) -> subprocess.Popen[str]:
        environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": self.address}
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
        )
        self._processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline(), "it has ended instead of beginning"
        return process

    def ask(self, method: str, *words: Any, name: str = NEW) -> Any:
        """What the daemon says of a property, or makes of one that is set."""
        address = DBusAddress("/" + name.replace(".", "/"), bus_name=name, interface=name)
        with open_dbus_connection(self.address) as connection:
            proxy = Proxy(Properties(address), connection, timeout=10)
            return getattr(proxy, method)(*words)

    def holds(self, name: str = NEW) -> list[tuple[str, str]]:
        """Profiles that are held, and for whom."""
        ((_, rows),) = self.ask("get", "ActiveProfileHolds", name=name)
        return [(one["Profile"][1], one["ApplicationId"][1]) for one in rows]

    def active(self, name: str = NEW) -> str:
        ((_, text),) = self.ask("get", "ActiveProfile", name=name)
        return str(text)

    def choose(self, profile: str) -> None:
        self.ask("set", "ActiveProfile", "s", profile)

    def end(self) -> None:
        for process in reversed(self._processes):
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.communicate()
