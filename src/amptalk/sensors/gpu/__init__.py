"""Read GPUs: utilisation, memory, the application's share of it, power, temperature, clocks.

`source` fills the sample's fields through the slow thread, `places` finds what there is without
touching it, `nvidia`, `amd`, `intel` and `jetson` each read one kind into the common `reading`.
A GPU that sleeps is never woken.
"""
