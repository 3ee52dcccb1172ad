"""The archive a kernel starts from (initramfs), in cpio's `newc` format, not compressed.

Not compressed because the emulated processor would have to unpack it. Only regular files and
folders. Format: Documentation/driver-api/early-userspace/buffer-format.rst.
"""

from __future__ import annotations

from collections.abc import Mapping

_FOLDER, _FILE = 0o040755, 0o100755
_TRAILER = "TRAILER!!!"


def archive(files: Mapping[str, bytes]) -> bytes:
    """Pack files by their path, which is relative; the folders above each are made."""
    folders = sorted({parent for path in files for parent in _parents(path)})
    entries = [(folder, _FOLDER, b"") for folder in folders]
    entries += [(path, _FILE, data) for path, data in files.items()]
    packed = [_entry(number, *entry) for number, entry in enumerate(entries, start=1)]
    return b"".join((*packed, _entry(0, _TRAILER, 0, b"")))


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


def _entry(number: int, path: str, mode: int, data: bytes) -> bytes:
    name = path.encode() + b"\0"
    owner = group = modified = device = 0
    fields = (
        *(number, mode, owner, group, 1, modified, len(data)),
        *(device, device, device, device, len(name), 0),
    )
    head = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(head + name) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
