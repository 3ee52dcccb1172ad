"""A worker process of the demonstration: does what each request says, with real memory and CPU.

It stands alone (standard library only, started as a plain script) and knows
nothing of AMPTALK: it obeys what its parent puts into a request. One JSON object
a line on standard input, one a line back; the end of input ends it.

Requests: `allocate_mb` to allocate and touch while the request runs, `cpu_ms` of
processor time to burn, `hold_ms` to wait with the memory held, `cache_mb` by
which the cache leaks, `cache_limit_mb` up to which it may.
"""

import json
import sys
import time

PAGE = 4096
MB = 1024 * 1024
CHUNK_MB = 1


def touched(megabytes: float) -> bytearray:
    """Memory of which every page was written, so that it is really there."""
    block = bytearray(int(megabytes * MB))
    block[::PAGE] = b"\1" * len(block[::PAGE])
    return block


def burn(milliseconds: float) -> int:
    """Spend this much processor time (not wall time), so that a unit of work is always the same."""
    until = time.process_time() + milliseconds / 1000.0
    rounds = 0
    while time.process_time() < until:
        rounds += sum(range(200)) & 1
    return rounds


def main() -> None:
    """Serve requests until standard input ends."""
    cache: list[bytearray] = []
    for line in sys.stdin:
        request = json.loads(line)
        leaked = int(request.get("cache_mb", 0) / CHUNK_MB)
        cache += [touched(CHUNK_MB) for _ in range(leaked)]
        limit = request.get("cache_limit_mb")
        if limit is not None:
            while len(cache) * CHUNK_MB > limit:
                cache.pop(0)
        block = touched(request.get("allocate_mb", 0))
        burn(request.get("cpu_ms", 0))
        time.sleep(request.get("hold_ms", 0) / 1000.0)
        del block
        sys.stdout.write('{"done": true}\n')
        sys.stdout.flush()


if __name__ == "__main__":
    main()
