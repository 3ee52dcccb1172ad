"""A recording on disk: a folder with `recording.json` and `frames.jsonl`, both plain text.

`recording.json` says what was recorded, and when. Each line of `frames.jsonl` is one frame: the
first has all files, folders and links, later ones what changed. A file's value is its text, the
name of the error with which reading it failed (`{"errno": "EAGAIN"}`), or null when it is gone.
Paths are relative to `/` and lie in `proc` or `sys`.

A recording may come from anybody. What is read here is checked: paths and links stay within the
tree, errors have names that errno knows, and all sizes are bounded. A last line that was cut off
is left out, so a recording that was ended by force can be replayed.
"""

from __future__ import annotations

import errno
import json
import math
import os
import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TextIO

from amptalk.model.errors import AmptalkError

FORMAT = "amptalk-recording"
VERSION = 1
ABOUT = "recording.json"
FRAMES = "frames.jsonl"
FILE_BYTES = 64 * 1024
"""The largest file that is kept."""
WHOLE_BYTES = 64 * 2**20
"""The largest recording that is made, and read."""
LINE_BYTES = 16 * 2**20
MOST_FILES = 20_000
_LONGEST_PATH = 1024
_DRM = re.compile(r"proc/\d+/fd/\d+ /dev/dri/[A-Za-z0-9]+")
"""The one kind of link that may lead out of the tree: it is looked at and never followed."""


class RecordingError(AmptalkError):
    """A recording that cannot be written or read; the text says why and what to do."""


class Failed(NamedTuple):
    """A file that is there and could not be read."""

    errno: str
    """Name of the error, such as `EACCES`."""


Content = bytes | Failed | None
"""What a file said, why it did not, or `None` when it is gone."""


class Frame(NamedTuple):
    """What changed until one moment; in the first frame, all there is."""

    seconds: float
    """Since the start of the recording."""
    files: Mapping[str, Content]
    links: Mapping[str, str | None] = {}
    """Target of each link, relative to its folder; `None` when it is gone."""
    folders: tuple[str, ...] = ()
    """Folders that are there and have nothing in them that is kept."""


class About(NamedTuple):
    """What `recording.json` says."""

    device: str
    """Model of the device, such as `Raspberry Pi 5 Model B Rev 1.0`; empty when it says none."""
    machine: str
    """Architecture, such as `aarch64`."""
    kernel: str
    """Release of the kernel."""
    started: float
    """Seconds since the epoch."""
    interval: float
    """Seconds between frames that were asked for."""
    page_size: int
    """Bytes of a page of memory."""
    pid: int
    """The process whose control groups, and with `application` memory, are recorded."""
    application: bool = False
    """True when the files of that process and its descendants are in it."""
    made_up: bool = False
    """True when the values are somebody's invention and were not read from a device."""
    note: str = ""
    amptalk: str = ""
    left_out: Mapping[str, str] = {}
    """What was not kept, each with the reason."""


def encode(frame: Frame) -> str:
    """One line of `frames.jsonl`, without the end of line."""
    line: dict[str, Any] = {"seconds": frame.seconds}
    if frame.folders:
        line["folders"] = list(frame.folders)
    if frame.links:
        line["links"] = dict(frame.links)
    line["files"] = {path: _said(content) for path, content in frame.files.items()}
    return json.dumps(line, separators=(",", ":"), allow_nan=False)


def _said(content: Content) -> Any:
    if isinstance(content, Failed):
        return {"errno": content.errno}
    return None if content is None else content.decode("utf-8", "surrogateescape")


def decode(line: str) -> Frame:
    """Read one line. Raises `RecordingError` for anything that is not a frame."""
    try:
        whole = json.loads(line)
        seconds = float(whole["seconds"])
        files = {str(path): _content(path, said) for path, said in whole.get("files", {}).items()}
        links = {str(path): _link(path, to) for path, to in whole.get("links", {}).items()}
        folders = tuple(checked_path(path) for path in whole.get("folders", ()))
    except RecordingError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RecordingError(f"{line[:60]!r}... is no frame of a recording: {error}") from None
    if not 0.0 <= seconds < math.inf:
        raise RecordingError(f"a frame at {seconds} s cannot be: give seconds since the start")
    return Frame(seconds, files, links, folders)


def checked_path(path: object) -> str:
    """The path itself. Raises `RecordingError` unless it stays within `proc` and `sys`."""
    if isinstance(path, str) and len(path) <= _LONGEST_PATH and "\0" not in path:
        parts = path.split("/")
        if parts[0] in {"proc", "sys"} and not {"", ".", ".."} & set(parts) and len(parts) > 1:
            return path
    raise RecordingError(
        f"{path!r} is no path of a recording: it must lie in proc or sys and not lead out of it"
    )


def _content(path: object, said: Any) -> Content:
    checked_path(path)
    if said is None:
        return None
    if isinstance(said, str):
        data = said.encode("utf-8", "surrogateescape")
        if len(data) > FILE_BYTES:
            raise RecordingError(f"{path} has {len(data)} bytes; allowed are {FILE_BYTES}")
        return data
    name = said.get("errno")
    if not isinstance(name, str) or name not in errno.errorcode.values():
        raise RecordingError(f"{path} failed with {name!r}, which is no error of this system")
    return Failed(name)


def _link(path: Any, target: Any) -> str | None:
    checked_path(path)
    if target is None:
        return None
    if not isinstance(target, str) or len(target) > _LONGEST_PATH or "\0" in target:
        raise RecordingError(f"link {path} has the target {target!r}; give a relative path")
    if not _DRM.fullmatch(f"{path} {target}"):
        if target.startswith("/"):
            raise RecordingError(f"link {path} leads to {target}; it must be relative")
        checked_path(posixpath.normpath(posixpath.join(posixpath.dirname(path), target)))
    return target


class Writer:
    """Writes a recording, frame by frame; whole after each, whatever happens next."""

    def __init__(self, folder: str, about: About) -> None:
        """Raises `RecordingError` when the folder holds something, or cannot be made."""
        self.folder = folder
        self.bytes = self.frames = 0
        try:
            os.makedirs(folder, exist_ok=True)
            if os.listdir(folder):
                raise RecordingError(
                    f"{folder} is not empty: give the name of a new folder, or empty it"
                )
            self._frames: TextIO = open(  # noqa: SIM115 - closed by close
                os.path.join(folder, FRAMES), "x", encoding="ascii", newline="\n"
            )
        except OSError as error:
            raise _unwritable(folder, error) from None
        self.conclude(about)

    def add(self, frame: Frame) -> bool:
        """Write a frame; false when the recording is as large as it may be."""
        line = encode(frame) + "\n"
        if self.bytes + len(line) > WHOLE_BYTES or len(line) > LINE_BYTES:
            return False
        try:
            self._frames.write(line)
            self._frames.flush()
        except OSError as error:
            raise _unwritable(self.folder, error) from None
        self.bytes += len(line)
        self.frames += 1
        return True

    def conclude(self, about: About) -> None:
        """Say what the recording is; may be said again, when more is known."""
        path = os.path.join(self.folder, ABOUT)
        whole = {"format": FORMAT, "version": VERSION, **about._asdict()}
        try:
            with open(f"{path}.new", "w", encoding="ascii", newline="\n") as file:
                file.write(json.dumps(whole, indent=2) + "\n")
            os.replace(f"{path}.new", path)
        except OSError as error:
            raise _unwritable(self.folder, error) from None

    def close(self) -> None:
        """Close the file of frames."""
        self._frames.close()


def _unwritable(folder: str, error: OSError) -> RecordingError:
    return RecordingError(f"{folder} cannot be written: {error.strerror}; give another folder")


def read_about(folder: str) -> About:
    """What a recording is. Raises `RecordingError`."""
    path = os.path.join(folder, ABOUT)
    try:
        with open(path, encoding="utf-8") as file:
            return _about(json.loads(file.read(2**20)), path)
    except OSError as error:
        raise RecordingError(
            f"{path} cannot be read: {error.strerror}; give the folder that `amptalk record` made"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecordingError(f"{path} does not describe a recording: {error}") from None


def _about(whole: dict[str, Any], path: str) -> About:
    """Check what a recording says of itself; errors of Python's own for what cannot be meant."""
    if whole.pop("format") != FORMAT:
        raise RecordingError(f"{path} is not one of `amptalk record`")
    version = whole.pop("version")
    if version != VERSION:
        raise RecordingError(
            f"{path} has version {version}; this amptalk reads version {VERSION}: "
            "take the one that made the recording"
        )
    about = About(**whole)
    numbers = (about.started, about.interval, about.page_size, about.pid)
    if not all(isinstance(one, (int, float)) and 0 < one < 1e12 for one in numbers):
        raise RecordingError(f"{path}: started, interval, page_size and pid must be above 0")
    texts = (about.device, about.machine, about.kernel, about.note)
    if not all(isinstance(one, str) for one in texts):
        raise RecordingError(f"{path}: device, machine, kernel and note must be text")
    return about._replace(pid=int(about.pid), page_size=int(about.page_size))


def read_frames(folder: str) -> Iterator[Frame]:
    """Every frame in order, one in memory at a time. Raises `RecordingError`."""
    path = os.path.join(folder, FRAMES)
    left, before = WHOLE_BYTES, -1.0
    try:
        with open(path, encoding="utf-8", newline="\n") as file:
            while line := file.readline(LINE_BYTES):
                left -= len(line)
                if left < 0:
                    raise RecordingError(f"{path} is larger than {WHOLE_BYTES >> 20} MB")
                if not line.endswith("\n"):
                    if len(line) >= LINE_BYTES:
                        raise RecordingError(f"{path} has a line of more than {LINE_BYTES} bytes")
                    return  # cut off while it was written
                frame = decode(line)
                if frame.seconds <= before:
                    raise RecordingError(f"{path}: the frame at {frame.seconds} s comes too late")
                before = frame.seconds
                yield frame
    except OSError as error:
        raise RecordingError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise RecordingError(f"{path} is not text: {error}") from None
