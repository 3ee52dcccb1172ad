"""Tests that run inside the virtual machine, on its kernel, as root."""
