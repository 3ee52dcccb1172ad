"""The system's message bus (D-Bus): calls with a deadline, over a connection of our own.

What is asked for over a connection is taken back by those who were asked once the connection is
closed, by us or by the kernel when this process ends. That is why no program is called for it
(`busctl`, `gdbus`): its connection would end at once, or outlive us.

Messages are made and understood by jeepney (extra `dbus`), which is loaded with the first
connection. Its own connection waits for the bus's first answer without a deadline, so bytes are
sent and received here. Signals are not listened to.

Protocol: D-Bus Specification, "Authentication Protocol" and "Message Bus Messages".
"""

from __future__ import annotations

import socket
import time
from importlib import import_module
from typing import Any, NamedTuple

from amptalk.model.errors import ActionError

_AT_ONCE = 4096
_LEAST = 1e-3
"""Seconds: a time-out of 0 would mean not to wait at all, and fail otherwise."""


class Peer(NamedTuple):
    """Whom to call."""

    name: str
    path: str
    interface: str


_BUS = Peer("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")


class SystemBus:
    """A connection to the bus; one thread at a time. Every fault is an `ActionError`.

    `seconds` is what everything until the next `within` may take together.
    """

    def __init__(self, seconds: float) -> None:
        self.within(seconds)
        try:
            self._jeepney = import_module("jeepney")
            self._serial = 0
            self.name = ""
            self._parser = self._jeepney.Parser()
            # Never inherited by a program that is started; a fork must close it.
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        except ImportError:
            raise ActionError("it needs the package jeepney: pip install 'amptalk[dbus]'") from None
        try:
            self._enter()
            self.name = str(self.call(_BUS, "Hello")[0])
        except ActionError:
            self.close()
            raise

    def within(self, seconds: float) -> None:
        """Give what follows this many seconds."""
        self._until = time.monotonic() + seconds

    def close(self) -> None:
        """Leave the bus; also in a fork, where it leaves the connection to the parent."""
        self._socket.close()

    def owned(self, name: str) -> bool:
        """Whether anybody on the bus answers to this name; nobody is started for it."""
        return bool(self.call(_BUS, "NameHasOwner", "s", name)[0])

    def property(self, peer: Peer, name: str) -> Any:
        """A property of a peer."""
        properties = peer._replace(interface="org.freedesktop.DBus.Properties")
        return self.call(properties, "Get", "ss", peer.interface, name)[0][1]

    def call(self, peer: Peer, method: str, signature: str = "", *arguments: Any) -> Any:
        """What a method answers, as a tuple."""
        api = self._jeepney
        self._serial += 1
        address = api.DBusAddress(peer.path, bus_name=peer.name, interface=peer.interface)
        message = api.new_method_call(address, method, signature or None, arguments)
        message.header.flags |= api.MessageFlag.no_auto_start
        fields = api.HeaderFields
        try:
            self._send(message.serialise(self._serial))
            answer = self._next()
            while answer.header.fields.get(fields.reply_serial) != self._serial:
                answer = self._next()
        except (OSError, ValueError) as error:
            raise ActionError(f"{peer.name} ({method}): {_words(error)}") from None
        if answer.header.message_type is api.MessageType.error:
            said = [answer.header.fields[fields.error_name], *answer.body[:1]]
            raise ActionError(f"{peer.name} refuses {method}: {': '.join(map(str, said))}")
        return answer.body

    def _enter(self) -> None:
        """Connect, and say who we are."""
        where = ""
        try:
            where = import_module("jeepney.bus").find_system_bus()
            auth = import_module("jeepney.auth")
            self._socket.settimeout(self._left())
            self._socket.connect(where)
            entering = auth.Authenticator()
            for line in entering:
                self._send(line)
                entering.feed(self._received())
            self._send(auth.BEGIN)
        except (OSError, ValueError, RuntimeError) as error:
            raise ActionError(f"the system bus {where}: {_words(error)}") from None

    def _next(self) -> Any:
        message = self._parser.get_next_message()
        while message is None:
            self._parser.add_data(self._received())
            message = self._parser.get_next_message()
        return message

    def _send(self, data: bytes) -> None:
        self._socket.settimeout(self._left())
        self._socket.sendall(data)

    def _received(self) -> bytes:
        self._socket.settimeout(self._left())
        data = self._socket.recv(_AT_ONCE)
        if not data:
            raise ConnectionError("the bus has closed the connection")
        return data

    def _left(self) -> float:
        return max(_LEAST, self._until - time.monotonic())


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return getattr(error, "strerror", None) or str(error)
