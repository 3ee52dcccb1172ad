"""The file that keeps what was learned of jobs across restarts: JSON, replaced atomically."""

from __future__ import annotations

import os
from typing import Any

from amptalk.model.errors import ConfigurationError

FORMAT = 2


def load(path: str) -> dict[str, Any]:
    """What the file holds of jobs; empty when there is no file yet.

    Raises `ConfigurationError` when it cannot be read or is no such file; it stays as it is.
    """
    import json

    try:
        with open(path, encoding="utf-8") as file:
            whole = json.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise _refusal(path, str(error)) from error
    if not isinstance(whole, dict) or whole.get("format") != FORMAT:
        found = whole.get("format") if isinstance(whole, dict) else type(whole).__name__
        raise _refusal(path, f"its format is {found!r}, this version reads {FORMAT}")
    jobs = whole.get("jobs")
    if not isinstance(jobs, dict):
        raise _refusal(path, "it has no jobs")
    return jobs


def save(path: str, jobs: dict[str, Any]) -> None:
    """Replace the file by one that holds `jobs`. Raises `OSError`."""
    import json
    import tempfile

    folder = os.path.dirname(os.path.abspath(path))
    handle, name = tempfile.mkstemp(prefix=".amptalk-", dir=folder)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"format": FORMAT, "jobs": jobs}, file, allow_nan=False)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _refusal(path: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"learned={path!r} cannot be used: {why}; give another path, or move the file away to "
        "begin anew"
    )
