"""What becomes of programs that want more memory than their limit, and of their neighbour."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.running.peers import AMPTALK, LIMIT_MB, NOBODY, Result, bare_group, has, run

PYTHON = {
    "leak": "k = []\nwhile len(k) < 60: k.append(bytearray(4 << 20)); time.sleep(0.05)",
    "step": "k = bytearray(200 << 20); time.sleep(0.5)",
    "forks": "for _ in range(8):\n    if os.fork() == 0:\n"
             "        k = bytearray(30 << 20); time.sleep(2); os._exit(0)\n"
             "ended = [os.wait()[1] for _ in range(8)]; sys.exit(any(ended) and 3)",
    "mapped file": "f = open(sys.argv[1], 'rb'); m = mmap.mmap(f.fileno(), 0, prot=1)\n"
                   "x = sum(m[i] for i in range(0, len(m), 4096)); time.sleep(0.5)",
    "shared memory": "m = mmap.mmap(-1, 200 << 20)\nfor i in range(0, 200 << 20, 4096): m[i] = 1",
    "within": "k = bytearray(60 << 20); time.sleep(0.5)",
}  # fmt: skip
C_PROGRAM = """
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(void) {
    for (int i = 0; i < 60; i++) {
        memset(malloc(4 << 20), 1, 4 << 20);
        usleep(50000);
    }
    return 0;
}
"""
_MEANING = (
    "`within` needs less than the limit, `mapped file` only file cache beyond it: both must end "
    "with 0. A memory error or a status that is not 0 means that the limit was met."
)
PIPELINE = "head -c 150M /dev/zero | tr '\\0' x | sort -S 400M | wc -c"


def memory_rows(*, quick: bool) -> list[str]:
    """A table: peer by program, what was enforced and what was said."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        programs = _programs(Path(folder))
        if quick:
            programs = {name: programs[name] for name in ("leak", "within")}
        rows = ["| | " + " | ".join(programs) + " | what it said of the leak |",
                "|---" * (len(programs) + 2) + "|"]  # fmt: skip
        peers = {
            "amptalk run, root": lambda c: run(
                [*AMPTALK, "--memory", f"{LIMIT_MB}M", "--interval", "0.2", "--", *c]
            ),
            "amptalk run --on-breach stop, ordinary user": lambda c: run(
                [*AMPTALK, "--memory", f"{LIMIT_MB}M", "--interval", "0.2", "--on-breach", "stop",
                 "--", *c], NOBODY
            ),
            "prlimit --as": lambda c: run(["prlimit", f"--as={LIMIT_MB << 20}", *c]),
            "bare control group": _bare,
        }  # fmt: skip
        for name, peer in peers.items():
            results = {program: peer(command) for program, command in programs.items()}
            row = [_shown(result) for result in results.values()]
            print(f"{name}: {row}", file=sys.stderr, flush=True)
            rows.append(f"| {name} | " + " | ".join(row) + f" | {_said(results['leak'])} |")
        if has("earlyoom") and not quick:
            rows.append(_earlyoom(programs))
    return [*rows, "", _MEANING]


def _programs(folder: Path) -> dict[str, list[str]]:
    mapped = folder / "mapped"
    mapped.write_bytes(b"x" * (200 << 20))
    programs = {
        name: [sys.executable, "-c", f"import mmap, os, sys, time\n{code}", str(mapped)]
        for name, code in PYTHON.items()
    }
    source = folder / "leak.c"
    source.write_text(C_PROGRAM)
    if has("cc"):
        subprocess.run(["cc", "-O0", "-o", str(folder / "leak"), str(source)], check=True)
        programs["leak in C"] = [str(folder / "leak")]
    programs["pipeline"] = ["bash", "-o", "pipefail", "-c", PIPELINE]
    return programs


def _bare(command: Sequence[str]) -> Result:
    with bare_group(memory_mb=LIMIT_MB) as group:
        return run(command, group=group)


def _earlyoom(programs: dict[str, list[str]]) -> str:
    """It knows the device only: nothing happens while that has memory."""
    watch = subprocess.Popen(["earlyoom", "-r", "0"], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        row = [_shown(run(command)) for command in programs.values()]
    finally:
        watch.terminate()
        watch.wait()
    return "| earlyoom (device only) | " + " | ".join(row) + " | nothing |"


def _shown(result: Result) -> str:
    if result.status < 0:
        return f"signal {-result.status}"
    return "memory error" if "MemoryError" in result.err else str(result.status)


def _said(result: Result) -> str:
    lines = [line for line in result.err.splitlines() if "killed by" in line or "ended by" in line]
    if not lines:
        lines = result.err.splitlines()[-1:]
    return lines[0].removeprefix("amptalk: ") if lines else "nothing"
