"""Limits that the kernel holds: control groups of our own and the order of victims."""
