"""A hold on the device's power profile: `power-saver`, for as long as power or heat call for it.

What the profile does is the maker's: the processor's preference for energy, the firmware's
platform profile. It has no share, so it is held from the first step down to the last one up.

Nothing of it is in the journal: the daemon takes a hold back by itself when the connection that
asked for it is closed, however this process ends. Whatever fails closes the connection, so that
nothing is held of which nobody knows; also what a daemon that hung takes up later.

Interface: D-Bus reference of power-profiles-daemon, `org.freedesktop.UPower.PowerProfiles` since
0.20 and `net.hadess.PowerProfiles` before. tuned-ppd offers the same.
"""

from __future__ import annotations

import os
import threading

from amptalk.actuators.devices.bus import Peer, SystemBus
from amptalk.actuators.devices.contract import DeviceLimit
from amptalk.actuators.kernel.contract import Hold
from amptalk.model.errors import ActionError

SAVER = "power-saver"
ANSWER = 1.5
"""Seconds for each move and each look, less than what a move may take."""
DAEMONS = tuple(
    Peer(name, "/" + name.replace(".", "/"), name)
    for name in ("org.freedesktop.UPower.PowerProfiles", "net.hadess.PowerProfiles")
)
"""The newer name first."""
_OURS = "amptalk"


class _Daemon:
    """The daemon over a connection of its own, which ends what was asked for over it."""

    def __init__(self) -> None:
        self.bus = SystemBus(ANSWER)
        self._reason = f"limits of power and temperature (process {os.getpid()}, {self.bus.name})"
        try:
            self._peer = self._running()
        except ActionError:
            self.bus.close()
            raise

    def _running(self) -> Peer:
        for peer in DAEMONS:
            if self.bus.owned(peer.name):
                return peer
        raise ActionError(
            "nobody offers power profiles on the system bus: power-profiles-daemon (or tuned-ppd) "
            "does not run, and it is not started from here"
        )

    def active(self) -> str:
        """The profile that applies now."""
        return str(self.bus.property(self._peer, "ActiveProfile"))

    def offered(self) -> list[str]:
        """The profiles there are."""
        return [one.get("Profile", "") for one in self._rows("Profiles")]

    def held(self) -> bool:
        """Whether our hold is among those that the daemon tells of."""
        ours = {"Profile": SAVER, "ApplicationId": _OURS, "Reason": self._reason}
        return any(ours.items() <= one.items() for one in self._rows("ActiveProfileHolds"))

    def _rows(self, name: str) -> list[dict[str, str]]:
        said = self.bus.property(self._peer, name)
        try:
            return [{str(key): str(value) for key, (_, value) in one.items()} for one in said]
        except (TypeError, ValueError, AttributeError):
            raise ActionError(f"{self._peer.name} says {said!r} of {name}") from None

    def lost(self) -> str:
        """Why our hold holds nothing, empty while it does."""
        active = self.active()
        if not self.held():
            return f"the hold on {SAVER} is gone, {active!r} applies: it was chosen by somebody"
        return "" if active == SAVER else f"{active!r} applies although {SAVER} is held"

    def take(self) -> int:
        """Ask for a hold; its cookie."""
        cookie = self.bus.call(self._peer, "HoldProfile", "sss", SAVER, self._reason, _OURS)[0]
        return int(cookie)

    def give_back(self, cookie: int) -> None:
        """End our hold."""
        self.bus.call(self._peer, "ReleaseProfile", "u", cookie)


class PowerProfile(DeviceLimit):
    """`power-saver` while less than the full share is left."""

    name = "power_profile"

    def __init__(self) -> None:
        self._asking = threading.Lock()  # not held by `end`: a fork calls that, too
        self._hold: Hold | None = None
        self._daemon: _Daemon | None = None
        """The connection of our hold; `None` while nothing is held."""
        self._cookie = 0

    def begin(self, hold: Hold) -> str:
        """Look for the daemon and its profiles. Raises `ActionError`."""
        self.end()
        daemon = _Daemon()
        try:
            offered, active = daemon.offered(), daemon.active()
        finally:
            daemon.bus.close()
        if SAVER not in offered:
            raise ActionError(f"no profile {SAVER} here, only {', '.join(offered) or 'none'}")
        self._hold = hold
        return f"{SAVER} of {', '.join(offered)}; {active} applies now"

    def follow(self, share: float) -> str:
        """Hold the profile, or let go of it at a share of 1. Raises `ActionError`."""
        hold = self._hold
        if hold is None:
            raise ActionError(f"{self.name}: no daemon was found")
        with self._asking:
            if share >= 1.0:
                return self._release()
            if self._daemon is None:
                self._take()
            why = self._lost()
            if self._hold is not hold:
                self._close()
                why = "enforcement has ended meanwhile"
        if why:
            raise ActionError(why)
        return f"{SAVER} is held"

    def lost(self) -> str:
        """Why the profile is not held any more. Raises `ActionError`."""
        with self._asking:
            return self._lost()

    def end(self) -> None:
        """Leave the bus, which ends what is held; in a fork the connection is the parent's."""
        self._hold = None
        self._close()

    def _take(self) -> None:
        daemon = _Daemon()
        try:
            self._cookie = daemon.take()
        except ActionError:
            daemon.bus.close()
            raise
        self._daemon = daemon

    def _lost(self) -> str:
        daemon = self._daemon
        if daemon is None:
            return ""
        try:
            daemon.bus.within(ANSWER)
            why = daemon.lost()
        except ActionError:
            self._close()
            raise
        if why:
            self._close()
        return why

    def _release(self) -> str:
        daemon = self._daemon
        if daemon is None:
            return "as before"
        try:
            daemon.bus.within(ANSWER)
            daemon.give_back(self._cookie)
            if daemon.held():
                raise ActionError(f"the hold on {SAVER} stands although it was released")
            return f"released, {daemon.active()} applies"
        finally:
            self._close()

    def _close(self) -> None:
        daemon, self._daemon = self._daemon, None
        if daemon is not None:
            daemon.bus.close()
