"""A block in which a component holds more than its minimum for a while."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from amptalk.model.errors import AdmissionTimeoutError, NeverFitsError
from amptalk.sharing.pressure import refuse_in_a_callback

if TYPE_CHECKING:
    from asyncio import Future

    from typing_extensions import Self

    from amptalk.sharing.components import Book, Component


class Use:
    """Entered once all of its amounts are granted at the same time; left, they are given back."""

    def __init__(
        self,
        book: Book,
        component: Component,
        amounts: Mapping[str, float],
        timeout: float | None,
    ) -> None:
        for resource, amount in amounts.items():
            ask = component.asks[resource]
            if amount > ask.maximum - ask.minimum:
                raise NeverFitsError(
                    f"{amount:g} of {resource} beyond the minimum of {ask.minimum:g} is more than "
                    f"the maximum of {ask.maximum:g} leaves to component {component.name!r}"
                )
        self._book = book
        self._component = component
        self.amounts = amounts
        self._timeout = timeout
        self._given_up = False

    def __enter__(self) -> Self:
        refuse_in_a_callback(self._component.name)
        try:
            self._book.enter(self._component, self)
            done = self._book.wait_for(lambda: self._given_up or self._granted(), self._timeout)
            self._check(done=done)
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self._leave()

    async def __aenter__(self) -> Self:
        import asyncio

        from amptalk.sharing.off_loop import off_loop

        entering = off_loop(self.__enter__)
        try:
            return await asyncio.shield(entering)
        except asyncio.CancelledError:
            self._given_up = True
            self._book.wake()
            entering.add_done_callback(self._undo)
            raise

    async def __aexit__(self, *_error: object) -> None:
        from amptalk.sharing.off_loop import off_loop

        await off_loop(self._leave)

    def _undo(self, entering: Future[Self]) -> None:
        """Give back what a cancelled task was granted at the last moment."""
        if not entering.cancelled() and entering.exception() is None:
            from amptalk.sharing.off_loop import off_loop

            off_loop(self._leave)

    def _leave(self) -> None:
        self._book.leave(self._component, self)

    def _check(self, *, done: bool) -> None:
        if self._given_up or not done:
            raise AdmissionTimeoutError(self._text())

    def _granted(self) -> bool:
        """Whether its amounts and those of all who came before it are granted."""
        component = self._component
        return all(
            component.grant(resource)
            >= component.asks[resource].minimum + component.held(resource, upto=self)
            for resource in self.amounts
        )

    def _text(self) -> str:
        component = self._component
        lacking = ", ".join(
            f"{component.asks[r].minimum + component.held(r, upto=self):g} of {r} wanted, "
            f"{component.grant(r):g} granted"
            for r in self.amounts
        )
        if self._given_up:
            return f"component {component.name!r} no longer waits: {lacking}"
        return (
            f"component {component.name!r} was not granted enough within {self._timeout} s: "
            f"{lacking}; others have not shrunk by then, see shares()"
        )
