"""Run the whole library on a device that is not there."""
