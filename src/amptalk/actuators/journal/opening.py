"""Open a journal for this process: first undo what earlier owners left, then keep one's own."""

from __future__ import annotations

from amptalk.actuators.journal.folder import JournalFolder
from amptalk.actuators.journal.journal import Journal
from amptalk.actuators.journal.restore import Restored, restore
from amptalk.actuators.journal.undo import State
from amptalk.model.errors import ActionError
from amptalk.sensors.identity import identity_of


def opened(path: str, proc: str, pid: int) -> tuple[JournalFolder, Journal, list[Restored]]:
    """The folder, the journal of a process in it, and what became of what was left there.

    Raises `ActionError` or `SensorFault`.
    """
    owner = identity_of(proc, pid)
    folder = JournalFolder(path, create=True)
    try:
        left = restore(folder, proc)
        # Of this very process: what it left before it replaced its program (exec).
        left += restore(folder, proc, owner=owner)
        return folder, Journal(folder, owner), left
    except ActionError:
        folder.close()
        raise


def in_words(results: list[Restored], *, left_behind: bool) -> list[str]:
    """What is to be said of changes that an ended owner left behind, or of ours that remain."""
    said = []
    for result in results:
        if result.outcome.state is State.UNDONE and left_behind:
            said.append(f"undone what was left behind: {result.outcome.text}")
        elif result.remains:
            what = f"{result.outcome.text} ({result.name})"
            said.append(f"not undone: {what}; `amptalk restore` tries again")
    return said
