"""Read the machine: CPU, memory, pressure, this process, its control group, and what else is there.

`suite.SensorSuite` reads everything once a tick into one immutable sample; each other file
covers one source. Files stay open and are read with `pread`, a layout is verified once and
then parsed by position, and a source that fails gives `nan` with the reason, never an
exception and never a zero. Linux is read directly (`/proc`, `/sys`); elsewhere `portable`
asks psutil. Nothing here changes the machine, keeps history or judges a value.
"""
