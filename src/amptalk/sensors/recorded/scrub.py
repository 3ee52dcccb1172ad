"""What is taken out of a file before it is kept: whatever tells which device or whose it is.

Long tables of `/proc` are reduced to the lines that are known to hold figures of use; so they
cannot carry anything else, and a frame stays small. In everything else what looks like a
hardware address, a UUID or a long identifier is replaced by a number, the same each time, and so
are the names of this host and of its users, where they stand as words of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

_IDENTIFIERS = (
    (re.compile(r"(?<![0-9a-fA-F])[0-9a-fA-F]{2}(?:[:_-][0-9a-fA-F]{2}){5}(?![0-9a-fA-F])"), "mac"),
    (
        re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"),
        "uuid",
    ),
    (re.compile(r"(?<![0-9a-fA-F])[0-9a-fA-F]{2}-[0-9a-fA-F]{12}(?![0-9a-fA-F])"), "sensor"),
    (re.compile(r"(?<![0-9a-fA-F])[0-9a-fA-F]{32,128}(?![0-9a-fA-F])"), "id"),
)
"""Hardware address, UUID, identity of a 1-Wire sensor, identity of a machine or container."""
_NUMBERS = re.compile(r"[-\s0-9.]*")

_STAT = ("cpu*", "intr", "ctxt", "processes", "procs_*")
_MEMINFO = (
    *("Mem*", "Buffers", "Cached", "Swap*", "Active*", "Inactive*", "AnonPages", "Mapped", "Shmem"),
    *("SReclaimable", "SUnreclaim", "KernelStack", "PageTables", "Dirty", "Writeback", "Zswap*"),
    *("Cma*", "HugePages_*", "Hugepagesize", "Unevictable"),
)
_VMSTAT = (
    *("nr_free_pages", "pswpin", "pswpout", "workingset_*", "pgfault", "pgmajfault", "oom_kill"),
    *("allocstall_*", "pgscan_*", "pgsteal_*", "zswpin", "zswpout", "zswpwb"),
)
_CPUINFO = (
    *("processor", "vendor_id", "cpu family", "model", "model name", "stepping", "physical id"),
    *("core id", "cpu cores", "siblings", "CPU *", "Hardware", "Revision", "Model", "hart", "isa"),
)
_MEMORY_STAT = (
    *("anon", "file", "kernel", "shmem", "file_mapped", "*active_*", "slab*", "workingset_*"),
    *("pgmajfault", "cache", "rss", "mapped_file", "swap", "total_cache", "total_rss"),
    *("total_shmem", "total_mapped_file", "total_swap", "unevictable", "zswap", "zswapped"),
)
_STATUS = ("Vm*", "Rss*", "Threads")
_ROLLUP = ("Rss", "Pss*", "Shared_*", "Private_*", "Anonymous", "Swap*", "Referenced")
_FDINFO = (
    *("drm-driver", "drm-pdev", "drm-client-id", "drm-engine-*", "drm-cycles-*"),
    *("drm-total-cycles-*", "drm-memory-*", "drm-resident-*", "drm-total-*", "drm-shared-*"),
)
_KFD = ("cpu_cores_count", "simd_count", "vendor_id", "device_id", "location_id", "domain")
_BOOT = (
    *("cgroup_disable=*", "cgroup_enable=*", "cgroup_memory=*", "psi=*", "swapaccount=*"),
    *("isolcpus=*", "nohz_full=*", "maxcpus=*", "nosmt", "intel_pstate=*", "amd_pstate=*"),
    *("systemd.unified_cgroup_hierarchy=*", "cgroup_no_v1=*", "mem=*"),
)


class Scrubber:
    """Takes out what identifies; the same thing is replaced by the same word in all frames."""

    def __init__(self, words: Iterable[str] = ()) -> None:
        """`words` are names that must not be kept, such as the host's and the user's."""
        names = sorted({word for word in words if word}, key=len, reverse=True)
        self._words = (
            re.compile(rf"(?<![0-9A-Za-z])(?:{'|'.join(map(re.escape, names))})(?![0-9A-Za-z])")
            if names
            else None
        )
        self._seen: dict[str, str] = {}
        self.replaced = 0
        """How many different identifiers were replaced."""
        self.names_replaced = 0
        """How often a name of the host or a user was replaced."""

    def file(self, path: str, data: bytes) -> bytes:
        """What is kept of a file; `path` is relative to `/`."""
        reduced = reduce(path, data)
        if reduced is not None:
            return reduced
        text = data.decode("utf-8", "surrogateescape")
        if _NUMBERS.fullmatch(text):
            return data
        if self._words is not None:
            text, count = self._words.subn("removed", text)
            self.names_replaced += count
        return self.identifiers(text).encode("utf-8", "surrogateescape")

    def identifiers(self, text: str) -> str:
        """A text or path without hardware addresses and long identifiers."""
        for pattern, word in _IDENTIFIERS:
            text = pattern.sub(lambda found, word=word: self._number(found[0], word), text)  # type: ignore[misc]
        return text

    def _number(self, found: str, word: str) -> str:
        key = found.lower()
        if key not in self._seen:
            self.replaced += 1
            self._seen[key] = f"{word}{self.replaced}"
        return self._seen[key]


def reduce(path: str, data: bytes) -> bytes | None:
    """The lines of a table that are kept; `None` for a file that is no such table."""
    for pattern, function in _REDUCED:
        if fnmatchcase(path, pattern):
            return function(data)
    return None


def _keyed(*keys: str, separator: str | None = None) -> Callable[[bytes], bytes]:
    """Keep the lines whose first words are one of `keys`; up to `separator`, else to a space."""

    def function(data: bytes) -> bytes:
        kept = []
        for line in data.decode("utf-8", "replace").splitlines(keepends=True):
            key = line.partition(separator or " ")[0].strip()
            if not key or any(fnmatchcase(key, one) for one in keys):
                kept.append(line)
        return "".join(kept).encode()

    return function


def _processor(data: bytes) -> bytes:
    """Counters of `/proc/stat`; of interrupts the total alone, and no time of booting."""
    lines = _keyed(*_STAT)(data).splitlines(keepends=True)
    return b"".join(
        b" ".join(line.split()[:2]) + b"\n" if line.startswith(b"intr ") else line for line in lines
    )


def _boot_line(data: bytes) -> bytes:
    words = data.decode("utf-8", "replace").split()
    kept = [word for word in words if any(fnmatchcase(word, one) for one in _BOOT)]
    return (" ".join(kept) + "\n").encode()


def _swaps(data: bytes) -> bytes:
    """Swap space by kind: a file may lie in somebody's home."""
    lines = data.decode("utf-8", "replace").splitlines(keepends=True)
    for number, line in enumerate(lines[1:], 1):
        name = line.split()[0] if line.split() else ""
        if name and not re.fullmatch(r"/dev/(zram|sd|vd|nvme|mmcblk)[0-9a-z]*", name):
            lines[number] = line.replace(name, f"/swap{number}", 1)
    return "".join(lines).encode()


def _version(data: bytes) -> bytes:
    """The driver's version without the name of who built it."""
    return data.partition(b"\n")[0].partition(b"(")[0].rstrip() + b"\n"


def _process(data: bytes) -> bytes:
    """`stat` of a process without its name and without addresses (from field 25 on)."""
    pid = data.partition(b" ")[0]
    words = data[data.rfind(b")") + 1 :].split()[:22]
    return pid + b" (recorded) " + b" ".join(words) + b"\n"


def _clients(data: bytes) -> bytes:
    """`nvmap`'s list without the names of processes: client, process, pid, size."""
    kept = []
    for line in data.decode("utf-8", "replace").splitlines():
        words = line.split()
        if len(words) >= 4 and words[-2].isdigit():
            words[1:-2] = ["process"]
        elif "total" not in words and "CLIENT" not in words:
            continue
        kept.append(" ".join(words) + "\n")
    return "".join(kept).encode()


def _nothing(_data: bytes) -> bytes:
    return b"\n"


_REDUCED: tuple[tuple[str, Callable[[bytes], bytes]], ...] = (
    ("proc/stat", _processor),
    ("proc/meminfo", _keyed(*_MEMINFO, separator=":")),
    ("proc/vmstat", _keyed(*_VMSTAT)),
    ("proc/cpuinfo", _keyed(*_CPUINFO, separator=":")),
    ("proc/cmdline", _boot_line),
    ("proc/swaps", _swaps),
    ("proc/driver/nvidia/version", _version),
    ("proc/*/stat", _process),
    ("proc/*/status", _keyed(*_STATUS, separator=":")),
    ("proc/*/smaps_rollup", _keyed(*_ROLLUP, separator=":")),
    ("proc/*/fdinfo/*", _keyed(*_FDINFO, separator=":")),
    ("sys/fs/cgroup/*/memory.stat", _keyed(*_MEMORY_STAT)),
    ("sys/fs/cgroup/*/release_agent", _nothing),
    ("*/kfd/*/properties", _keyed(*_KFD)),
    ("sys/kernel/debug/nvmap/iovmm/clients", _clients),
)
"""Tables by path, as `fnmatch` has it: `*` stands for any number of folders."""


def names_of_this_machine() -> set[str]:
    """Names and identities of this host and its user, none of which may be kept."""
    import getpass
    import os
    import platform
    from contextlib import suppress

    host = platform.node()
    names = {host, host.partition(".")[0]}
    names |= {os.environ.get(name, "") for name in ("USER", "LOGNAME", "SUDO_USER")}
    with suppress(OSError, KeyError):
        names.add(getpass.getuser())
    for path in ("/etc/machine-id", "/proc/sys/kernel/random/boot_id"):
        with suppress(OSError), open(path, encoding="ascii") as file:
            names.add(file.read().strip())
    return names - {"", "localhost"}
