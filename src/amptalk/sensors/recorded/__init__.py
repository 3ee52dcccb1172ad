"""Recordings of a device: its sensor files over time, kept, and laid out again to be read.

`catalogue` says what is kept and `scrub` what is taken out of it, `recorder` keeps it, `format`
is the file, `tree` lays a recording out as folders that the sensors read like a device.
"""
