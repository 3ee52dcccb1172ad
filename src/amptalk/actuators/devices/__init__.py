"""Limits of devices, for the whole machine: set only when they are named."""
