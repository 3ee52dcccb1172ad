"""An application whose child grows without bounds, under `handling="enforce"`: one ramp.

`python owner.py MB_PER_S LIMIT_MB heeds|deaf LOG [gil]` prints what came of it as one line of
JSON, then, once new work was admitted again, how long that took as another. With `gil` one thread
keeps the GIL for 500 ms at a time.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

from amptalk import Level, create_resource_manager
from amptalk.model.errors import AdmissionError
from amptalk.sensors.own import own_memory_mb

HOG = Path(__file__).with_name("hog.py")
LONGEST = 40.0
"""Seconds within which the hog must be gone or have shrunk."""
HELD, BETWEEN = 500_000, 0.02
"""Microseconds that the GIL is kept, and seconds between."""


def main() -> None:
    """Run one ramp and tell."""
    rate, limit, manner, log = float(sys.argv[1]), float(sys.argv[2]), sys.argv[3], sys.argv[4]
    over = threading.Event()
    own = own_memory_mb()
    neighbour = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    manager = create_resource_manager(max_memory_mb=limit + own, handling="enforce")
    with manager:
        most = Path(log).stat().st_size // 8
        hog = subprocess.Popen([sys.executable, "-S", str(HOG), log, str(rate), str(most), manner])
        manager.child(hog, priority=-1, may_end=True)
        manager.child(neighbour, priority=5)
        manager.hook("ask the hog", lambda: hog.send_signal(10), level=Level.CRITICAL)
        if "gil" in sys.argv[5:]:
            threading.Thread(target=_keep, args=(over,), daemon=True).start()
        group = next(event["detail"].rpartition("/")[0] for event in _events(manager, "memory_cap"))
        shrunk = _wait(hog, limit)
        over.set()
        ended = time.monotonic()
        status = hog.poll()
        lives = _answers(neighbour)
        told = _wait_for_word(manager)
        counted = Path(f"{group}/memory.oom_control").read_text().split()
        print(json.dumps({
            "rate": rate, "limit": limit + own, "cap": _cap(manager), "own": own,
            "outcome": "gone" if status is not None else "shrunk" if shrunk else "held",
            "neighbour": lives, "events": len(told), "named": any(str(hog.pid) in t for t in told),
            "told": told, "kernel_kills": int(counted[counted.index("oom_kill") + 1]),
        }), flush=True)  # fmt: skip
        try:
            with manager.admit("new work", memory_mb=limit / 4, timeout=120.0):
                print(json.dumps({"admitted": time.monotonic() - ended}), flush=True)
        except AdmissionError as error:
            print(json.dumps({"admitted": None, "why": str(error)}), flush=True)
        for child in (hog, neighbour):
            child.kill()
            child.wait()


def _events(manager: object, action: str) -> list[dict[str, object]]:
    return [event for event in manager.history.events if event.get("action") == action]  # type: ignore[attr-defined]


def _cap(manager: object) -> float:
    return float(_events(manager, "memory_cap")[0]["after"])  # type: ignore[arg-type]


def _wait(hog: subprocess.Popen[bytes], limit: float) -> bool:
    """Wait until the hog is gone, or has given back (true)."""
    until = time.monotonic() + LONGEST
    highest = 0.0
    while hog.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
        try:
            words = Path(f"/proc/{hog.pid}/statm").read_text().split()
        except OSError:
            continue
        used = (int(words[1]) - int(words[2])) / 256
        highest = max(highest, used)
        if highest > 0.3 * limit and used < 0.2 * highest and int(words[0]):
            return True
    return False


def _wait_for_word(manager: object) -> list[str]:
    """What was told of the guardian, a moment after its danger was over."""
    until = time.monotonic() + 6.0
    while time.monotonic() < until:
        time.sleep(0.1)
        if _events(manager, "guardian"):
            time.sleep(1.2)
            break
    return [str(event["detail"]) for event in _events(manager, "guardian")]


def _answers(neighbour: subprocess.Popen[bytes]) -> bool:
    assert neighbour.stdin is not None
    assert neighbour.stdout is not None
    neighbour.stdin.write(b"are you there\n")
    neighbour.stdin.flush()
    return neighbour.stdout.readline() == b"are you there\n"


def _keep(over: threading.Event) -> None:
    """Keep the GIL: a foreign function that does not let go of it."""
    sleep = ctypes.PyDLL(None).usleep
    while not over.is_set():
        sleep(HELD)
        time.sleep(BETWEEN)


if __name__ == "__main__":
    main()
