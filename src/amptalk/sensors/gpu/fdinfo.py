"""What the application's own processes use of a GPU, as their open descriptors tell.

Descriptors of one client (duplicated, or inherited by a fork) show the same figures, so each
`drm-client-id` counts once. Other users' processes cannot be read without privilege, which is
why only the application is read here, never the device. Processes whose descriptors cannot be
read raise `SensorFault`: a sum without them would be too low.

Format: Documentation/gpu/drm-usage-stats.rst.
"""

from __future__ import annotations

import errno
import os
import re
from typing import NamedTuple

from amptalk.sensors.files import SensorFault, fault_of, garbled, is_number, read_once

_ADDRESS = re.compile(r"[0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]")
_UNITS = {"": 1.0, "KiB": 1024.0, "MiB": 2.0**20, "GiB": 2.0**30}


class Client(NamedTuple):
    """One client of one GPU."""

    memory: dict[str, float]
    """Bytes held by region, such as `vram` or `system0`."""
    engines: dict[str, tuple[float, float]]
    """Busy and total time by engine: ns and 0 (i915), or cycles and all cycles (xe)."""


def clients_of(proc: str, pids: tuple[int, ...], pci_address: str) -> dict[str, Client]:
    """Clients that `pids` have on the GPU at `pci_address`. Raises `SensorFault`."""
    found: dict[str, Client] = {}
    for pid in pids:
        folder = f"{proc}/{pid}/fd"
        try:
            descriptors = os.listdir(folder)
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
        except OSError as error:
            raise fault_of(error, folder) from None
        for descriptor in descriptors:
            try:
                if not os.readlink(f"{folder}/{descriptor}").startswith("/dev/dri/"):
                    continue
                path = f"{proc}/{pid}/fdinfo/{descriptor}"
                pairs = _pairs(path)
            except OSError:
                continue  # closed meanwhile
            except SensorFault as fault:
                if fault.number in {errno.ENOENT, errno.ESRCH}:
                    continue
                raise
            client = pairs.get("drm-client-id", "")
            where = pairs.get("drm-pdev", "")
            if (client and not is_number(client)) or (where and not _ADDRESS.fullmatch(where)):
                raise garbled(path, f"client {client[:40]!r} of {where[:40]!r}")
            if client and where.lower() == pci_address:
                found[client] = Client(_memory(pairs, path), _engines(pairs))
    return found


def _pairs(path: str) -> dict[str, str]:
    text = read_once(path).decode("ascii", "replace")
    if not text.endswith("\n") or ":" not in text:
        raise garbled(path, "it is not lines of `key: value`")
    split = (line.partition(":") for line in text.splitlines())
    return {key.strip(): value.strip() for key, _, value in split}


def _memory(pairs: dict[str, str], path: str) -> dict[str, float]:
    """Bytes by region: what is resident, else `drm-memory-`, its older name in amdgpu."""
    memory: dict[str, float] = {}
    for prefix in ("drm-memory-", "drm-resident-"):
        for key, value in pairs.items():
            if key.startswith(prefix):
                amount, _, unit = value.partition(" ")
                if not is_number(amount) or unit not in _UNITS:
                    raise garbled(path, f"{key} is {value[:40]!r}")
                memory[key[len(prefix) :]] = int(amount) * _UNITS[unit]
    return memory


def _engines(pairs: dict[str, str]) -> dict[str, tuple[float, float]]:
    engines: dict[str, tuple[float, float]] = {}
    for key, value in pairs.items():
        amount = value.partition(" ")[0]
        if not is_number(amount):
            continue
        if key.startswith("drm-engine-") and not key.startswith("drm-engine-capacity-"):
            name = key[len("drm-engine-") :]
            engines[name] = int(amount) / _capacity(pairs, name), 0.0
        elif key.startswith("drm-cycles-"):
            name = key[len("drm-cycles-") :]
            total = pairs.get(f"drm-total-cycles-{name}", "")
            if is_number(total):
                engines[name] = int(amount) / _capacity(pairs, name), float(total)
    return engines


def _capacity(pairs: dict[str, str], engine: str) -> int:
    """How many engines of that name there are; their times are added up."""
    text = pairs.get(f"drm-engine-capacity-{engine}", "1")
    return max(1, int(text)) if is_number(text) else 1


class BusyShare:
    """Percent of the busiest engine between two readings of the clients."""

    def __init__(self) -> None:
        self._last: dict[str, Client] = {}
        self._at: float | None = None

    def feed(self, now: float, clients: dict[str, Client]) -> float:
        """Raises `SensorFault` at the first reading. A client that ended counts until then."""
        last, before = self._last, self._at
        self._last, self._at = clients, now
        if before is None or now <= before:
            raise SensorFault("needs two readings: a share of time is the difference of two")
        shares: dict[str, float] = {}
        for key, client in clients.items():
            engines = last[key].engines if key in last else {}
            for name, (busy, total) in client.engines.items():
                if name in engines:
                    used, whole = busy - engines[name][0], total - engines[name][1]
                    whole = whole if total else (now - before) * 1e9
                    if used > 0.0 and whole > 0.0:
                        shares[name] = shares.get(name, 0.0) + 100.0 * used / whole
        return min(100.0, max(shares.values(), default=0.0))
