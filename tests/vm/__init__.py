"""A real kernel: Debian's own, in QEMU, with real drivers that our readings must follow.

`python -m tests.vm` (or `make test-vm`) boots it and runs the tests of `guest/` inside, which
the ordinary run does not collect. The processor is emulated, so neither KVM nor root is needed.
`needs` says what the host must have, `kernel` gets the kernel, `archive` packs what it starts
from, `machine` runs it, `init.sh` is its first process and `tables.asl` its firmware's devices.
"""
