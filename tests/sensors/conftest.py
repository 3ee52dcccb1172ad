from tests.sensors.trees import tree

__all__ = ["tree"]
