"""What is served: arrays and matmuls in place of a model, or a real one that reads text.

A model holds its weights, runs batches, and takes working memory only while one runs. The
accelerator is a sleep: it computes beside the processor, as the real ones do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from benchmarks.serving.scenarios import LARGEST_BATCH, UNIT_MB, Scenario

BATCH_SECONDS, UNIT_SECONDS = 0.2, 0.018
"""A batch on the accelerator: so long, and so much longer for each request of mean size."""
_MB = 1024 * 1024
_PIECES = 20
"""Weights come in so many pieces."""
_SIDE = 128
"""Of the matrices that are multiplied for each request."""


class Model(Protocol):
    """A model that can be served."""

    def load(self, wanted: Callable[[], bool]) -> bool:
        """Take in the weights while they are wanted; returns whether they are there."""

    def unload(self) -> None:
        """Give them back."""

    def run(self, sizes: Sequence[float]) -> None:
        """Answer a batch."""


class ArrayModel:
    """Arrays for weights and working memory, small matmuls, and a sleep."""

    def __init__(self, weights_mb: float, load_seconds: float) -> None:
        self._weights_mb = weights_mb
        self._load_seconds = load_seconds
        self._weights: list[Any] = []
        self._matrix = np.ones((_SIDE, _SIDE), dtype=np.float32)

    def load(self, wanted: Callable[[], bool]) -> bool:
        """Weights come in evenly over the time that it takes."""
        for _ in range(_PIECES):
            if not wanted():
                self._weights.clear()
                return False
            self._weights.append(touched(self._weights_mb / _PIECES))
            time.sleep(self._load_seconds / _PIECES)
        return True

    def unload(self) -> None:
        """Drop the weights."""
        self._weights.clear()

    def run(self, sizes: Sequence[float]) -> None:
        """Take the working memory, multiply, and wait for the accelerator."""
        work = touched(sum(sizes) * UNIT_MB)
        for _ in sizes:
            work[0] = (self._matrix @ self._matrix)[0, 0] > 0
        time.sleep(BATCH_SECONDS + UNIT_SECONDS * sum(sizes))


class TextModel:
    """The recogniser of rapidocr-onnxruntime on one thread: reads lines of text."""

    def __init__(self) -> None:
        self._reader: Any = None

    def load(self, wanted: Callable[[], bool]) -> bool:
        """Load it, and read one line to set it up."""
        if not wanted():
            return False
        from rapidocr_onnxruntime import RapidOCR

        self._reader = RapidOCR(
            intra_op_num_threads=1, inter_op_num_threads=1, rec_batch_num=LARGEST_BATCH
        )
        self._reader.text_rec([_line(1.0)])
        return True

    def unload(self) -> None:
        """Drop it."""
        self._reader = None

    def run(self, sizes: Sequence[float]) -> None:
        """Read a line for each request, the longer the larger it is."""
        self._reader.text_rec([_line(size) for size in sizes])


def touched(megabytes: float) -> Any:
    """Memory that is really there: one write a page."""
    found = np.empty(max(4096, int(megabytes * _MB)), dtype=np.uint8)
    found[::4096] = 1
    return found


def _line(size: float) -> Any:
    """A picture of a line of writing."""
    import cv2

    image = np.full((48, max(64, int(256 * size)), 3), 255, dtype=np.uint8)
    cv2.putText(image, "invoice 4711", (8, 36), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (0, 0, 0), 2)
    return image


def second_model(scenario: Scenario) -> Model:
    """The model that is loaded when it is asked for."""
    return TextModel() if scenario.real else ArrayModel(scenario.second, scenario.load)
