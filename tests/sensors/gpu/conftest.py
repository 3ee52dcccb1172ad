"""The made-up machine, with and without NVIDIA's library doubled."""

from tests.sensors.gpu.doubled import library, machine, old_library

__all__ = ["library", "machine", "old_library"]
