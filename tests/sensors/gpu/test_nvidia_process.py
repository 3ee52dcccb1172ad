"""What a process feels of NVML: starting, ticking, forking and ending while a driver hangs."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from tests.sensors.gpu.doubled import Machine, gpu, without_compiler

pytestmark = without_compiler
BEGIN = """
import json, os, sys, threading, time
from pathlib import Path
from amptalk.clock import SystemClock
from amptalk.sensors.roots import Roots
from amptalk.sensors.suite import SensorSuite
folder = Path(sys.argv[1])
roots = Roots(str(folder / "proc"), str(folder / "sys"))
def suite(gpu=None):
    begun = time.monotonic()
    made = SensorSuite("device", SystemClock(), roots, pid=4242, gpu=gpu, threads=True)
    return made, time.monotonic() - begun
def put(**state):
    lines = {**json.loads(sys.argv[2]), **state}
    text = "".join(f"{key} {value}\\n" for key, value in lines.items())
    (folder / "state.new").write_text(text)
    os.replace(folder / "state.new", folder / "state")
def until(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "the deadline has passed"
        time.sleep(0.01)
put()
"""


def said(machine: Machine, script: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", BEGIN + script, str(machine.tree.root),
         json.dumps({"count": 1, **gpu()})],
        env=machine.environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return json.loads(done.stdout)


def test_a_library_that_hangs_holds_up_neither_start_nor_tick_nor_exit(machine: Machine) -> None:
    """Ticks are compared, in turns, with those of a machine without a GPU."""
    machine.card("0000:01:00.0")
    found = said(machine, """
put(**{"init.hang": 1})
starts = {name: suite(name)[1] for name in (None, "0", "0000:01:00.0", "GPU-0")}
hanging, _ = suite()
until(lambda: "init" in (folder / "calls").read_text())
import shutil
shutil.copytree(roots.proc, folder / "bare")
shutil.rmtree(folder / "bare/driver")
bare = Roots(str(folder / "bare"), "/nowhere")
healthy = SensorSuite("device", SystemClock(), bare, pid=4242, threads=True)
costs = {0: [], 1: []}
for _ in range(200):
    for number, one in enumerate((healthy, hanging)):
        begun = time.monotonic()
        sample = one.read()
        costs[number].append(time.monotonic() - begun)
print(json.dumps({
    "starts": list(starts.values()), "reason": sample.missing["gpu_utilization"],
    "ticks": [sorted(one)[100] for one in costs.values()],
}))
""")  # fmt: skip
    assert max(found["starts"][:3]) < 0.4, "what the kernel lists needs no answer of the library"
    assert found["starts"][3] < 1.5, "a UUID is waited for, for 0.5 s at most, and then believed"
    healthy, hanging = found["ticks"]
    assert hanging - healthy < 0.001
    assert "not been answered" in found["reason"]


def test_a_gpu_that_hangs_in_the_middle_is_missing_and_comes_back(machine: Machine) -> None:
    found = said(machine, """
one, _ = suite()
until(lambda: one.read().gpu_utilization == 37)
put(**{"0.hang": 1})
until(lambda: "has not answered" in one.read().missing.get("gpu_utilization", ""))
lost = [gpu.missing["utilization"] for gpu in one.gpus()]
name = one.gpus()[0].name
put(**{"0.util": 41})
until(lambda: one.read().gpu_utilization == 41)
one.close()
print(json.dumps({"lost": lost, "name": name, "threads": [t.name for t in threading.enumerate()]}))
""")  # fmt: skip
    assert "has not answered" in found["lost"][0]
    assert found["name"] == "Card 0", "which one it is stays known"
    assert "amptalk-slow" not in found["threads"]


def test_a_forks_child_leaves_the_parents_library_alone_and_may_use_its_own(
    machine: Machine,
) -> None:
    found = said(machine, """
one, _ = suite()
until(lambda: one.read().gpu_utilization == 37)
import warnings; warnings.simplefilter("ignore")
calls = folder / "calls"
calls.write_text("")
child = os.fork()
if child == 0:
    one.close()
    closed = calls.read_text()
    again, _ = suite()
    until(lambda: again.read().gpu_utilization == 37)
    again.close()
    (folder / "child").write_text(json.dumps([closed, calls.read_text()]))
    os._exit(0)
status = os.waitpid(child, 0)[1]
put(**{"0.util": 41})
until(lambda: one.read().gpu_utilization == 41)
one.close()
print(json.dumps({"status": status, "child": json.loads((folder / "child").read_text())}))
""")  # fmt: skip
    assert found["status"] == 0
    closed, used = found["child"]
    assert "shutdown" not in closed, "the parent still uses it"
    assert "init" in used
    assert machine.called()[-1] == "shutdown", "closing lets go of the library"
