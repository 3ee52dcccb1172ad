"""Limits that the kernel holds, on a made-up kernel and on the real one."""
