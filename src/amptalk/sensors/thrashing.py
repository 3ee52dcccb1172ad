"""What a sample says of waiting for memory: pressure, swapping, and files read again. Pure.

Three ways to be slow for want of memory, told apart in the text of two causes:

- swap: anonymous pages go to a disk and come back. To compressed swap in RAM (zram, zswap) it
  counts from a higher rate, since a page costs some microseconds of the processor there, not
  milliseconds of a disk.
- memory pressure: every task waited for memory (PSI), or pages of files are dropped and read again
  while tasks wait for them. The latter is how mapped model weights thrash without any swap, and it
  is seen where PSI is switched off, as by default on a Raspberry Pi; its absence alone does
  not say that there is no pressure.

Refaults without major faults do not count: a data set larger than memory that is read from end to
end is refaulted too, and readahead has it there in time.
"""

from __future__ import annotations

from math import isnan

from amptalk.model.sample import INDEX, Sample
from amptalk.sensors.throttling_readers import Finding

MEMORY_PERCENT = 5.0
"""Share of time in which every task waited for memory that counts."""
SWAP_MB_S = 1.0
"""Swapping in and out, together, that counts when a disk is among where it goes."""
SWAP_RAM_MB_S = 20.0
"""The same when all of it stays in RAM: about a tenth of a core at 200 MB/s, which is assumed."""
REREAD_MB_S = 1.0
"""Pages of files read again that count, if tasks wait for them:"""
FAULTS_S = 50.0
"""that many major faults; at a millisecond each (an SD card), 5 % of one task's time."""

_NAMES = (
    *("pressure_memory_full_percent", "swap_in_mb_s", "swap_out_mb_s", "swap_compressed_mb"),
    *("swap_disk_mb", "refault_file_mb_s", "major_faults_s"),
)
_AT = tuple(INDEX[f"device.{name}"] for name in _NAMES)


def memory_findings(sample: Sample) -> tuple[Finding, ...]:
    """Judge pressure, swapping and files read again."""
    row, missing = sample.row, sample.missing
    waiting, came, went, compressed, disk, reread, faults = [row[at] for at in _AT]
    findings = []
    swapping, rereading = _swapping(came, went, compressed, disk), _rereading(reread, faults)
    if isnan(came):
        why = missing.get("device.swap_in_mb_s", "it has no value")
        findings.append(Finding("swap", seen=False, text=why))
    else:
        findings.append(Finding("swap", seen=bool(swapping), text=swapping))
    if isnan(waiting) and not rereading:
        why = missing.get("device.pressure_memory_full_percent", "it has no value")
        findings.append(Finding("memory pressure", seen=False, text=why))
    else:
        texts = [f"every task waited for memory {waiting:.0f} % of the time", rereading]
        if not waiting >= MEMORY_PERCENT:
            texts[0] = ""
        text = "; ".join(filter(None, texts))
        findings.append(Finding("memory pressure", seen=bool(text), text=text))
    return tuple(findings)


def _swapping(came: float, went: float, compressed: float, disk: float) -> str:
    """What is swapped and where to; empty when it is too little to count."""
    only_ram = compressed > 0.0 and disk == 0.0
    if not came + went >= (SWAP_RAM_MB_S if only_ram else SWAP_MB_S):
        return ""
    if only_ram:
        where = ", compressed in RAM"
    elif compressed > 0.0:
        where = ", compressed in RAM and on disk"
    else:
        where = ", on disk" if disk > 0.0 else ""  # unknown, or nothing in use any more
    return f"{came:.1f} MB/s in and {went:.1f} MB/s out{where}"


def _rereading(reread: float, faults: float) -> str:
    """Files that are dropped and waited for again; empty when it is too little to count."""
    if reread >= REREAD_MB_S and faults >= FAULTS_S:
        return f"file pages are read again at {reread:.1f} MB/s, {faults:.0f} major faults a second"
    return ""
