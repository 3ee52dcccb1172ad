"""Wait on a thread of its own for what would hold up an event loop.

Not on the loop's default executor: a few that wait for a grant would take all of its threads, and
who holds it could not give it back.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from typing import TypeVar

Result = TypeVar("Result")


def off_loop(function: Callable[[], Result]) -> asyncio.Future[Result]:
    """Call a function on a new thread, in this context; it goes on when its wait is cancelled."""
    done: Future[Result] = Future()
    done.set_running_or_notify_cancel()
    context = copy_context()

    def run() -> None:
        try:
            result = context.run(function)
        except BaseException as error:  # noqa: BLE001 - raised where it is awaited
            done.set_exception(error)
        else:
            done.set_result(result)

    threading.Thread(target=run, name="amptalk-hold", daemon=True).start()
    return asyncio.wrap_future(done)
