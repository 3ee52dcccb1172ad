"""Decide what share of work may run. Pure: no input, no output, no clock."""
