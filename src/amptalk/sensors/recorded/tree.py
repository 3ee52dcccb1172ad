"""A recorded tree laid out as real files and links, for sensors to read like a device.

It is a temporary folder, in memory where there is such a file system. Each frame brings it up to
date in place, so that descriptors that sensors keep see the new values. A file that failed on the
device is a link to `errno:` and the error's name, which `files` turns back into that error. A
file that fails or vanishes is emptied first: what is kept open then shows nothing, and is opened
anew.

Counts of pages are converted where a page of the recorded device has another size than here.
Not for more than one thread: the sensors must not read while a frame is laid out.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING

from amptalk.sensors.files import RECORDED
from amptalk.sensors.recorded.format import MOST_FILES, Failed, Frame, RecordingError
from amptalk.sensors.roots import Roots

if TYPE_CHECKING:
    from typing_extensions import Self

_IN_MEMORY = "/dev/shm"  # noqa: S108 - a folder of its own is made in it
_ROOM = 64 * 2**20
_IN_PAGES = re.compile(rb"(?m)^((?:pswp|zswp|workingset_refault)\S* )(\d+)$")
_STATM = re.compile(r"proc/\d+/statm")


class Tree:
    """The files of one recording as they are at one moment; removed at the end of `with`."""

    def __init__(self, page_size: int) -> None:
        self._root = tempfile.mkdtemp(prefix="amptalk-replay-", dir=_place())
        self._files: dict[str, bool] = {}
        """Whether each file is a real one and no fault."""
        self._links: set[str] = set()
        self._pages = page_size, os.sysconf("SC_PAGE_SIZE")
        self.roots = Roots(f"{self._root}/proc", f"{self._root}/sys", recorded=True)
        for folder in self.roots[:2]:
            os.mkdir(folder)

    def apply(self, frame: Frame) -> None:
        """Bring the tree up to a frame. Raises `RecordingError` for one that cannot be laid out."""
        path = ""
        try:
            for path, content in frame.files.items():
                if not isinstance(content, bytes):
                    self._take_away(path)
            for path, target in frame.links.items():
                self._put_link(path, target)
            for path in frame.folders:
                os.makedirs(self._place_of(path), exist_ok=True)
            for path, content in frame.files.items():
                if isinstance(content, bytes):
                    self._put_file(path, self._in_pages_of_here(path, content))
                elif content is not None:
                    self._put_fault(path, content)
        except OSError as error:
            raise RecordingError(f"{path} cannot be laid out: {error.strerror}") from None
        if len(self._files) + len(self._links) > MOST_FILES:
            raise RecordingError(f"a recording of more than {MOST_FILES} files is not replayed")

    def without_root(self, text: str) -> str:
        """A text of the sensors with paths as they are on the device."""
        return text.replace(self._root, "")

    def _place_of(self, path: str) -> str:
        """Where a path is laid out. Raises `RecordingError` when it goes through a link."""
        at = path.rfind("/")
        while at > 0:
            if path[:at] in self._links:
                raise RecordingError(f"{path} goes through the link {path[:at]}; give the real one")
            at = path.rfind("/", 0, at)
        return f"{self._root}/{path}"

    def _place_in_folder(self, path: str) -> str:
        place = self._place_of(path)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        return place

    def _put_link(self, path: str, target: str | None) -> None:
        place = self._place_of(path)
        if path in self._links:
            os.unlink(place)
            self._links.remove(path)
        if target is not None:
            os.symlink(target, self._place_in_folder(path))
            self._links.add(path)

    def _put_file(self, path: str, data: bytes) -> None:
        if not self._files.get(path, True):
            self._take_away(path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(self._place_in_folder(path), flags, 0o600)
        try:
            os.ftruncate(fd, 0)
            os.write(fd, data)
        finally:
            os.close(fd)
        self._files[path] = True

    def _take_away(self, path: str) -> None:
        real = self._files.pop(path, None)
        if real is None:
            return
        place = self._place_of(path)
        if real:
            os.truncate(place, 0)
        os.unlink(place)

    def _put_fault(self, path: str, fault: Failed) -> None:
        os.symlink(RECORDED + fault.errno, self._place_in_folder(path))
        self._files[path] = False

    def _in_pages_of_here(self, path: str, data: bytes) -> bytes:
        there, here = self._pages
        if there == here:
            return data
        if path == "proc/vmstat":
            return _IN_PAGES.sub(lambda one: b"%b%d" % (one[1], int(one[2]) * there // here), data)
        if _STATM.fullmatch(path):
            return b" ".join(b"%d" % (int(word) * there // here) for word in data.split()) + b"\n"
        return data

    def close(self) -> None:
        """Remove the tree."""
        shutil.rmtree(self._root, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def _place() -> str | None:
    """A folder in memory with room, else `None` for the usual one."""
    with suppress(OSError):
        room = os.statvfs(_IN_MEMORY)
        if os.access(_IN_MEMORY, os.W_OK) and room.f_bavail * room.f_frsize >= _ROOM:
            return _IN_MEMORY
    return None
