"""The made-up machine that most tests of sensors start from."""

from tests.sensors.faults.disk import in_the_way
from tests.sensors.trees import tree

__all__ = ["in_the_way", "tree"]
