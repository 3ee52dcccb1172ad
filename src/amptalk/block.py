"""Starting and stopping by a block, `with` or `async with`: what a manager has of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self


class Block(ABC):
    """Is started where its block begins and stopped where it ends, however that comes about."""

    @abstractmethod
    def start_monitoring(self) -> None:
        """Start; the subclass says what."""

    @abstractmethod
    def stop_monitoring(self) -> None:
        """Stop; the subclass says what."""

    def __enter__(self) -> Self:
        self.start_monitoring()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop_monitoring()

    async def __aenter__(self) -> Self:
        import asyncio

        await asyncio.to_thread(self.start_monitoring)
        return self

    async def __aexit__(self, *_error: object) -> None:
        import asyncio

        await asyncio.to_thread(self.stop_monitoring)
