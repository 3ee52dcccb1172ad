"""Saving and loading metrics files; the suffix says the format.

A file is put in place as a whole: it is written beside its place, flushed to
the disk and renamed, so an existing file stays whole when writing fails. What
each format holds is said in its own module.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from amptalk.history.document import MetricsDocument, check_columns
from amptalk.model.errors import ConfigurationError, MetricsFileError

_FORMATS = {
    ".json": "json_format",
    ".jsonl": "jsonl_format",
    ".csv": "csv_format",
    ".sqlite": "sqlite_format",
}
RECORDING = ".ring"
"""Suffix of the recorder's file: read here, written by `recorder` only."""


def save_metrics(path: str | os.PathLike[str], document: MetricsDocument) -> None:
    """Write a document; `.json`, `.jsonl`, `.csv` or `.sqlite` at the end of `path` picks how.

    Raises `ConfigurationError` for another suffix and `MetricsFileError` when
    the file cannot be written; an existing file then is as it was.
    """
    form = _format(path)
    # A link stays a link: the file it points to is replaced.
    target = Path(os.path.realpath(path))
    check_columns(str(path), document.samples)
    written = document.as_written()
    try:
        with _replacing(target) as beside:
            form.write(written, beside)
    except OSError as error:
        raise _not_written(path, target, error) from error
    except Exception as error:
        import sqlite3

        if not isinstance(error, sqlite3.Error):
            raise
        raise MetricsFileError(f"cannot write {path}: {error}") from error


def load_metrics(path: str | os.PathLike[str]) -> MetricsDocument:
    """Read a metrics file of any format, or a recording (`.ring`).

    Raises `ConfigurationError` for another suffix and `MetricsFileError`, with
    the place of the fault, for a file that is damaged or not one of ours.
    """
    if Path(path).suffix.lower() == RECORDING:
        from amptalk.history.recording import read_recording

        return read_recording(path)
    form = _format(path, RECORDING)
    try:
        return form.read(Path(path))
    except OSError as error:
        raise MetricsFileError(f"cannot read {path}: {error.strerror}") from error


class _Format(Protocol):
    """What each format's module offers."""

    def write(self, document: MetricsDocument, path: Path) -> None:
        """Write to a new file."""

    def read(self, path: Path) -> MetricsDocument:
        """Read a file."""


def _format(path: str | os.PathLike[str], *others: str) -> _Format:
    suffix = Path(path).suffix.lower()
    module = _FORMATS.get(suffix)
    if module is None:
        allowed = ", ".join((*_FORMATS, *others))
        raise ConfigurationError(
            f"{os.fspath(path)!r} ends in {suffix!r}; the suffix picks the format: "
            f"use one of {allowed}"
        )
    return cast("_Format", import_module(f"amptalk.history.{module}"))


@contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    """A path beside `target` that takes its place once it was written without an error."""
    beside = target.with_name(f".{target.name}.{secrets.token_hex(6)}.tmp")
    # With a mode of 0666 less the umask, as any new file of the application.
    os.close(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield beside
        _flush(beside)
        beside.replace(target)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise
    with suppress(OSError):  # some file systems cannot flush a folder; the file is in place
        _flush(target.parent)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _not_written(path: str | os.PathLike[str], target: Path, error: OSError) -> MetricsFileError:
    if target.is_dir():
        remedy = "it is a folder: give the name of a file in it"
    elif not target.parent.is_dir():
        remedy = f"make the folder {target.parent} first"
    elif isinstance(error, PermissionError):
        remedy = f"the folder {target.parent} must be writable for this user"
    else:
        remedy = "free some space or choose another place"
    return MetricsFileError(f"cannot write {path}: {error.strerror}; {remedy}")
