"""Read GPUs: utilisation, memory, the application's share of it, power, temperature, clocks.

`source` fills the sample's fields and lists all GPUs, `choice` says which one counts, `kinds` puts
each kind on the slow thread, `places` finds what there is without touching it. `nvidia`, `amd`,
`intel` and `jetson` each read one kind into the common `reading`; `rest` leaves idle ones alone and
`own` knows the application's share where a driver does not. A GPU that sleeps is never woken.
"""
