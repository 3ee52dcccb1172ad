"""A mistake of ours ends nothing: it is told once, and looked again a second later."""

from __future__ import annotations

from collections.abc import Callable

_AGAIN = 1.0


class Mistakes:
    """Guards what looks at a program again and again."""

    def __init__(self, warn: Callable[[str], object]) -> None:
        self._warn = warn
        self._told: set[str] = set()

    def caught(self, look: Callable[[], float]) -> float:
        """Look; seconds until the next time, whatever happened."""
        try:
            return look()
        except Exception as error:  # noqa: BLE001 - whatever it is
            kind = type(error).__name__
            if kind not in self._told:
                self._told.add(kind)
                self._warn(f"a mistake in amptalk, which goes on watching: {error!r}")
            return _AGAIN
