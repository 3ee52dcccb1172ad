"""The application's share where the driver does not tell it.

NVML and AMD's compute driver name the host's processes. In a container with a pid namespace of
its own those numbers are another's or nobody's; newer NVIDIA drivers translate the numbers, but
then tell no memory (NVIDIA/open-gpu-kernel-modules#614). Jetson tells the share to root only.
What torch's allocator holds in this process is an estimate then. Torch is asked only when the
application has it in use: nothing here imports it or starts CUDA.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from amptalk.sensors.files import SensorFault, exists
from amptalk.sensors.gpu.reading import MB, Findings, Identity
from amptalk.sensors.roots import Roots

_FIRST_PID_NAMESPACE = "pid:[4026531836]"
"""The kernel's PROC_PID_INIT_INO."""
TRANSLATED = SensorFault(
    "this process has a pid namespace of its own, and the driver names the host's processes",
    "docker run --pid=host, or set hostPID: true",
)
_TORCH = "torch's allocator in this process, without its CUDA context and other processes"


def in_namespace(roots: Roots) -> bool:
    """Whether this process has a pid namespace of its own."""
    try:
        return os.readlink(f"{roots.proc}/self/ns/pid") != _FIRST_PID_NAMESPACE
    except OSError:
        return False


def foreign(roots: Roots, pids: tuple[int, ...]) -> bool:
    """Whether `pids`, from a driver, cannot be numbers of this pid namespace."""
    return in_namespace(roots) and not (pids and all(exists(f"{roots.proc}/{n}") for n in pids))


def estimate_share(
    findings: Findings, identity: Identity, pids: tuple[int, ...], *, only: bool
) -> None:
    """Estimate `application_mb`, when it is missing, by torch; `only` when there is one GPU."""
    if "application_mb" not in findings.missing or os.getpid() not in pids:
        return
    held = _held_by_torch(identity, only=only)
    if held is not None:
        findings.find("application_mb", _TORCH, lambda: held / MB, "estimated")


def _held_by_torch(identity: Identity, *, only: bool) -> float | None:
    """Bytes that torch's allocator keeps on the GPU; `None` without torch in use there."""
    cuda: Any = getattr(sys.modules.get("torch"), "cuda", None)
    try:
        if cuda is None or not cuda.is_initialized():
            return None
        count = int(cuda.device_count())
        for index in range(count):
            same = _same(cuda.get_device_properties(index), identity)
            if same or (same is None and only and count == 1):
                return float(cuda.memory_reserved(index))
    except Exception:  # noqa: BLE001 - half-imported, of another make, or CUDA has failed
        return None
    return None


def _same(properties: Any, identity: Identity) -> bool | None:
    """Whether it is this GPU; `None` when this version of torch does not tell."""
    uuid = str(getattr(properties, "uuid", "")).lower()
    if uuid and identity.uuid:
        return identity.uuid.lower().removeprefix("gpu-") == uuid.removeprefix("gpu-")
    bus, device = getattr(properties, "pci_bus_id", None), getattr(properties, "pci_device_id", 0)
    if isinstance(bus, int) and identity.pci_address:
        domain = getattr(properties, "pci_domain_id", 0)
        return identity.pci_address.startswith(f"{domain:04x}:{bus:02x}:{device:02x}.")
    return None
