"""The made-up machine that most tests of sensors start from."""

from tests.sensors.trees import tree

__all__ = ["tree"]
