"""A daemon of power profiles on a bus, with the rules of the real one; a program of its own.

It takes its words from the command line as JSON: `names` on the bus, `profiles` that it offers,
`refuse` (an error for `HoldProfile`), `lies` (a cookie, but no hold), `deaf` (holds change no
profile), `keeps` (releasing answers, but releases nothing), `says` (what it answers to every
question). "ready" is printed once it answers.

Rules, of power-profiles-daemon: a hold ends with its caller's connection, by its cookie, or when
somebody sets a profile.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from jeepney import (
    HeaderFields,
    MatchRule,
    Message,
    MessageType,
    message_bus,
    new_error,
    new_method_return,
)
from jeepney.io.blocking import DBusConnection, Proxy, open_dbus_connection

BASE = "balanced"


class Daemon:
    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told
        self.bus: DBusConnection = open_dbus_connection(os.environ["DBUS_SYSTEM_BUS_ADDRESS"])
        self.chosen = BASE
        self.holds: dict[int, tuple[str, tuple[str, str, str]]] = {}
        self.last = 0
        proxy = Proxy(message_bus, self.bus, timeout=10)
        proxy.AddMatch(MatchRule(type="signal", member="NameOwnerChanged"))
        for name in told["names"]:
            assert proxy.RequestName(name) == (1,)

    def serve(self) -> None:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            message = self.bus.receive()
            member = message.header.fields.get(HeaderFields.member)
            if member == "NameOwnerChanged" and not message.body[2]:
                gone = message.body[0]
                self.holds = {key: one for key, one in self.holds.items() if one[0] != gone}
            elif message.header.message_type is MessageType.method_call:
                self.bus.send(self.answer(message, str(member)))

    def answer(self, message: Message, member: str) -> Message:
        body = message.body
        if member == "Get":
            return new_method_return(message, "v", (self.get(body[1]),))
        if member == "Set":
            self.chosen, self.holds = body[2][1], {}
            return new_method_return(message)
        if member == "ReleaseProfile":
            if not self.told.get("keeps"):
                del self.holds[body[0]]
            return new_method_return(message)
        if self.told.get("refuse"):
            return new_error(message, self.told["refuse"], "s", ("so it is told",))
        self.last += 1
        if not self.told.get("lies"):
            self.holds[self.last] = (message.header.fields[HeaderFields.sender], body)
        return new_method_return(message, "u", (self.last,))

    def get(self, name: str) -> tuple[str, Any]:
        if "says" in self.told:
            return "s", self.told["says"]
        if name == "ActiveProfile":
            held = [one[0] for _, one in self.holds.values()]
            return "s", self.chosen if self.told.get("deaf") or not held else held[0]
        if name == "Profiles":
            return "aa{sv}", [{"Profile": ("s", one)} for one in self.told["profiles"]]
        keys = ("Profile", "Reason", "ApplicationId")
        return "aa{sv}", [
            {key: ("s", text) for key, text in zip(keys, one, strict=True)}
            for _, one in self.holds.values()
        ]


if __name__ == "__main__":
    Daemon(json.loads(sys.argv[1])).serve()
