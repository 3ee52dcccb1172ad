"""What an expert is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from amptalk.forecast.past import Past


class Expert(ABC):
    """Predicts from what it has seen; bounded whatever that was."""

    @abstractmethod
    def update(self, past: Past) -> Sequence[float]:
        """Look at the past after a new value and say what is expected 1 … H steps later.

        As offsets from that value in its scale, which is above 0.
        """
