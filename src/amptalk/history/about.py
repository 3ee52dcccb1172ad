"""The part of a metrics file that is not samples: checking it when a file is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amptalk.history.document import SCHEMA_VERSION
from amptalk.model.errors import MetricsFileError

_MAPPINGS = ("host", "config", "units", "missing", "effectiveness")
_LISTS = ("events", "violations")


def checked(place: str, raw: object) -> dict[str, Any]:
    """Return the parts of a document other than `samples`, or raise `MetricsFileError`.

    A part that is absent is empty; one that is not known is left out, so that a
    later version may add to the file.
    """
    if not isinstance(raw, Mapping):
        raise MetricsFileError(
            f"{place}: a metrics document is an object with 'schema_version' and 'samples', "
            f"not {_kind(raw)}"
        )
    version = raw.get("schema_version")
    if version != SCHEMA_VERSION or isinstance(version, bool):
        raise MetricsFileError(
            f"{place}: schema_version is {version!r}; this version of AMPTALK reads "
            f"{SCHEMA_VERSION}"
        )
    parts: dict[str, Any] = {"schema_version": SCHEMA_VERSION}
    for name in _MAPPINGS:
        parts[name] = part = raw.get(name, {})
        if not isinstance(part, dict):
            raise MetricsFileError(f"{place}: {name!r} must be an object, not {_kind(part)}")
    for name in _LISTS:
        parts[name] = part = raw.get(name, [])
        if not isinstance(part, list) or not all(isinstance(item, dict) for item in part):
            raise MetricsFileError(f"{place}: {name!r} must be a list of objects")
    for name in ("units", "missing"):
        if not all(isinstance(text, str) for text in parts[name].values()):
            raise MetricsFileError(f"{place}: {name!r} must map names to texts")
    return parts


def _kind(value: object) -> str:
    names = {list: "a list", str: "a text", type(None): "null", bool: "true or false"}
    return names.get(
        type(value), "a number" if isinstance(value, (int, float)) else "something else"
    )
