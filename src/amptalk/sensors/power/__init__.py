"""Power and energy of the device: one file a source, `choice` says which of them counts."""

from amptalk.sensors.power.choice import PowerSource

__all__ = ["PowerSource"]
