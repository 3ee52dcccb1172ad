"""Start a guardian as a program of its own: an application may have threads and much memory.

A shell starts it and ends, so it is no child of this process.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from amptalk.model.errors import ActionError
from amptalk.sensors.identity import Identity

_CODE = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from amptalk.actuators.guardian.process import main; sys.exit(main(sys.argv[2:]))"
)
_SHELL = '"$@" >/dev/null & echo $!'
_STARTING = 2.0
"""Seconds that the shell may take."""


def by_shell(owner: Identity, folder: str, orders: int, words: int) -> int:
    """Start it by way of a shell that ends at once; its pid. Raises `ActionError`."""
    if not sys.executable:
        raise ActionError("there is no guardian: it needs the Python interpreter as a program")
    package = str(Path(__file__).resolve().parents[3])
    identity = (str(owner.pid), str(owner.start), owner.boot, owner.namespace)
    command = [
        *("/bin/sh", "-c", _SHELL, "sh"),
        *(sys.executable, "-I", "-S", "-c", _CODE, package),
        *(*identity, folder, str(orders), str(words)),
    ]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed shell and this very interpreter
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            pass_fds=(orders, words), start_new_session=True, cwd="/",
            timeout=_STARTING, check=True,
        )  # fmt: skip
        return int(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise ActionError(f"the guardian could not be started: {error}") from None
