"""A made-up tree between the sensors and the file system: contents that move with time, faults that
come and go at one file, and a count of what was asked for.

It stands in for `os` within `amptalk.sensors.files`, through which every sensor reads.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from amptalk.clock import VirtualClock
from amptalk.sensors import files

Content = str | Callable[[float], str]
"""What a file holds; as a function, of the seconds since the machine was made."""


class Disk:
    """The files of one machine, served from memory; folders and links are real ones."""

    def __init__(self, root: Path, contents: Mapping[str, Content], links: Mapping[str, str]):
        self.root = str(root)
        self.clock = VirtualClock()
        self._begun = self.clock.monotonic()
        self._contents: dict[str, Content] = {}
        for name, content in contents.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("")
            self._contents[str(path)] = content
        for name, target in links.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(target if target.startswith("/dev/") else root / target)
        self.opened: dict[int, str] = {}
        """Path of each descriptor that is open."""
        self.asked: set[str] = set()
        """Every path that was opened."""
        self.calls = self.bytes = 0
        self._offsets: dict[int, int] = {}
        self._errors: dict[str, int] = {}
        self._refused: dict[str, int] = {}
        self._instead: dict[str, Callable[[bytes], bytes]] = {}
        self._gone: set[int] = set()
        self._replaced: set[str] = set()
        self._real: dict[str, str] = {}
        self.hanging: dict[str, threading.Event] = {}
        self.waiting = threading.Event()
        """Set when a thread waits for a file that does not answer."""
        self._home = threading.get_ident()

    def healthy(self, path: str) -> bytes:
        """What a file holds when nothing is wrong with it."""
        content = self._contents.get(path, "")
        if not isinstance(content, str):
            content = content(self.clock.monotonic() - self._begun)
        return content.encode()

    # -- faults -------------------------------------------------------------

    @contextmanager
    def holding(self, path: str, change: Callable[[bytes], bytes]) -> Iterator[None]:
        self._instead[path] = change
        yield
        del self._instead[path]

    @contextmanager
    def failing(self, path: str, number: int) -> Iterator[None]:
        self._errors[path] = number
        yield
        del self._errors[path]

    @contextmanager
    def refusing(self, path: str, number: int) -> Iterator[None]:
        """It may not be opened any more; descriptors that are open go on."""
        self._refused[path] = number
        yield
        del self._refused[path]

    @contextmanager
    def replaced(self, path: str, make: Callable[[str], None] | None) -> Iterator[None]:
        """It is gone, or something else is in its place; open descriptors tell so."""
        kept = path + ".kept"
        os.rename(path, kept)
        self._replaced.add(path)
        self._gone |= {fd for fd, name in self.opened.items() if name == path}
        if make is not None:
            make(path)
        yield
        self._gone |= {fd for fd, name in self.opened.items() if name == path}
        if os.path.isdir(path):
            os.rmdir(path)
        elif os.path.lexists(path):
            os.unlink(path)
        os.rename(kept, path)
        self._replaced.discard(path)

    # -- in the place of `os` ----------------------------------------------

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def open(self, path: str, flags: int) -> int:
        self.calls += 1
        assert flags & os.O_NONBLOCK, f"{path} is opened so that a FIFO would block"
        real = self._real.get(path) or self._real.setdefault(path, os.path.realpath(path))
        self.asked.add(real)
        if real in self._refused:
            raise OSError(self._refused[real], os.strerror(self._refused[real]))
        fd = os.open(path, flags)
        self.opened[fd] = real
        self._offsets[fd] = 0
        self._gone.discard(fd)
        return fd

    def close(self, fd: int) -> None:
        del self.opened[fd]
        os.close(fd)

    def read(self, fd: int, size: int) -> bytes:
        data = self.pread(fd, size, self._offsets[fd])
        self._offsets[fd] += len(data)
        return data

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        self.calls += 1
        if fd < 0:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        if fd in self._gone:
            number = errno.ESRCH if "/proc/" in self.opened[fd] else errno.ENODEV
            raise OSError(number, os.strerror(number))
        path = self.opened[fd]
        self._wait(path)
        if path in self._errors:
            raise OSError(self._errors[path], os.strerror(self._errors[path]))
        if path in self._instead:
            data = self._instead[path](self.healthy(path))
        elif path in self._contents and path not in self._replaced:
            data = self.healthy(path)
        else:
            return os.read(fd, size)  # a folder or a FIFO: the kernel says what comes of it
        data = data[offset : offset + size]
        self.bytes += len(data)
        return data

    def listdir(self, path: str) -> list[str]:
        self.calls += 1
        return [name for name in os.listdir(path) if not name.endswith(".kept")]

    def access(self, path: str, mode: int) -> bool:
        self.calls += 1
        return os.access(path, mode)

    def _wait(self, path: str) -> None:
        answer = self.hanging.get(path)
        if answer is not None and not answer.is_set():
            assert threading.get_ident() != self._home, f"the tick waits for {path}"
            self.waiting.set()
            assert answer.wait(20.0)


@pytest.fixture
def in_the_way(monkeypatch: pytest.MonkeyPatch) -> Callable[[Disk], Disk]:
    """Have the sensors read through a disk from now on."""

    def put(disk: Disk) -> Disk:
        monkeypatch.setattr(files, "os", disk)
        monkeypatch.setattr(files, "_pread", disk.pread)
        return disk

    return put
