"""Power limit and clock lock of a GPU, through a double of NVIDIA's library, in own processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from amptalk.actuators.journal.folder import ELSEWHERE
from tests.helpers import ROOT
from tests.sensors.gpu.doubled import built, without_compiler

pytestmark = without_compiler

CARD = {
    "count": 1, "0.uuid": "GPU-0a", "0.pci": "00000000:01:00.0", "0.limit": 200_000,
    "0.limit.least": 90_000, "0.limit.most": 250_000, "0.most.graphics": 2000, "0.set.power": 1,
    "0.set.clocks": 1,
}  # fmt: skip
POWER, CLOCKS = "/gpu/GPU-0a/power_limit", "/gpu/GPU-0a/locked_clocks"
SCRIPT = """
import json, os, sys, threading
from pathlib import Path
from amptalk.actuators.devices.limits import MAKERS
from amptalk.actuators.journal.folder import JournalFolder
from amptalk.actuators.journal.journal import Journal
from amptalk.actuators.journal.restore import restore
from amptalk.actuators.kernel.contract import Hold
from amptalk.model.errors import ActionError
from amptalk.sensors.identity import identity_of
from amptalk.sensors.roots import Roots

folder = JournalFolder(sys.argv[1], create=True)
journal = Journal(folder, identity_of("/proc", os.getpid()))
hold = Hold(Roots(), journal, None, lambda: [], (), lambda: 1.0)
limit = MAKERS[sys.argv[2]](sys.argv[3])
state, kept = (Path(os.environ[name]) for name in ("NVML_DOUBLE", "NVML_DOUBLE_SET"))
said = []
def of(function, *arguments):
    try:
        said.append(function(*arguments))
    except ActionError as error:
        said.append(f"refused: {error}")
for word in sys.argv[4:]:
    if word == "begin":
        of(limit.begin, hold)
    elif word == "lost":
        of(limit.lost)
    elif word == "restore":
        of(lambda: [one.outcome.text for one in restore(folder, "/proc", owner=journal.owner)])
    elif word == "die":
        os.kill(os.getpid(), 9)
    elif word.startswith("hangs="):
        before = state.read_text()
        state.write_text(before + "0.hang 1\\n")
        hanging = threading.Thread(target=of, args=(limit.follow, float(word[6:])))
        hanging.start()
        hanging.join(0.2)
        said.append([hanging.is_alive(), kept.exists()])
        after = state.with_suffix(".new")
        after.write_text(before)
        after.replace(state)  # it is being read
        hanging.join(20.0)
    elif word.startswith("other="):
        kept.write_text(word[6:])
    elif word.startswith("state="):
        state.write_text(state.read_text() + word[6:].replace("=", " ") + "\\n")
    else:
        of(limit.follow, float(word))
    said.append([int(kept.read_text()) if kept.exists() else None, len(folder.names())])
print(json.dumps(said))
"""


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("nvml"))


class Driver:
    """A machine with one GPU; `run` gives what was said, and then what stands and is journalled."""

    def __init__(self, folder: Path, library: Path) -> None:
        self.folder = folder
        self.library = library
        self.state = dict(CARD)

    def run(self, name: str, *words: str, gpu: str = "0") -> list[Any]:
        lines = [f"{key} {value}" for key, value in self.state.items()]
        (self.folder / "state").write_text("\n".join(lines) + "\n")
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c",
             f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r})\n{SCRIPT}",
             str(self.folder / "run"), name, gpu, *words],
            env=self.environment(),
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        if "die" in words:
            assert done.returncode == -signal.SIGKILL, done.stderr
            return []
        assert done.returncode == 0, done.stderr
        return list(json.loads(done.stdout))

    def restored(self) -> str:
        """What `amptalk restore` says."""
        done = subprocess.run(
            [sys.executable, "-c", "from amptalk.cli.main import main; main()", "restore"],
            env={**self.environment(), "PYTHONPATH": str(ROOT / "src")},
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        return done.stdout

    def environment(self) -> dict[str, str]:
        return {
            **os.environ, "LD_LIBRARY_PATH": str(self.library), ELSEWHERE: str(self.folder / "run"),
            "NVML_DOUBLE": str(self.folder / "state"), "NVML_DOUBLE_SET": str(self.folder / "set"),
            "NVML_DOUBLE_CALLS": str(self.folder / "calls"),
        }  # fmt: skip

    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()


@pytest.fixture
def driver(tmp_path: Path, library: Path) -> Driver:
    return Driver(tmp_path, library)


def test_the_power_limit_follows_is_read_back_and_put_back(driver: Driver) -> None:
    assert driver.run("nvml_power", "begin", "0.8", "0.1", "lost", "1.0") == [
        f"{POWER} 200000", [None, 0],
        f"{POWER} 160000", [160_000, 1],
        f"{POWER} 100000", [100_000, 1],
        "", [100_000, 1],
        "as before", [200_000, 0],
    ]  # fmt: skip
    calls = driver.calls()
    assert calls.count("init") == calls.count("shutdown"), "the library is let go each time"


def test_it_needs_no_packages_to_be_undone(driver: Driver) -> None:
    *_, undone, standing = driver.run("nvml_power", "begin", "0.8", "restore")
    assert undone == [f"{POWER}: '160000' back to '200000'"]
    assert standing == [200_000, 0]


@pytest.mark.parametrize(("name", "after"), [("nvml_power", "200000"), ("nvml_clocks", "0")])
def test_what_a_killed_owner_left_the_command_undoes(
    driver: Driver, name: str, after: str, tmp_path: Path
) -> None:
    driver.run(name, "begin", "0.5", "die")
    assert (tmp_path / "set").read_text().strip() != after
    assert driver.restored().startswith("undone: /gpu/GPU-0a/")
    assert (tmp_path / "set").read_text().strip() == after
    assert list((tmp_path / "run").iterdir()) == []


def test_what_somebody_else_set_is_left(driver: Driver) -> None:
    said = driver.run("nvml_power", "begin", "0.8", "other=170000", "lost", "restore")
    assert said[-4] == f"{POWER} was changed to '170000'"
    assert said[-1] == [170_000, 0]


def test_the_driver_s_own_range_is_kept(driver: Driver) -> None:
    driver.state["0.limit.least"] = 150_000
    assert driver.run("nvml_power", "begin", "0.5")[-2] == f"{POWER} 150000"


@pytest.mark.parametrize(
    ("code", "said"), [(3, "is not supported by this GPU"), (4, "needs root"), (15, "is lost")]
)
def test_a_driver_that_refuses_is_told_and_nothing_stays(
    driver: Driver, code: int, said: str
) -> None:
    driver.state["0.set.power.error"] = code
    *_, refused, standing = driver.run("nvml_power", "begin", "0.8")
    assert said in refused
    assert standing == [None, 0]


def test_a_driver_that_makes_something_else_of_it_is_told_and_nothing_stays(
    driver: Driver,
) -> None:
    driver.state["0.set.power"] = 25_000
    *_, refused, standing = driver.run("nvml_power", "begin", "0.8")
    assert refused == f"refused: {POWER} holds '150000' after '160000' was written: not kept"
    assert standing == [200_000, 0]


@pytest.mark.parametrize(("name", "set_to"), [("nvml_power", 160_000), ("nvml_clocks", 1590)])
def test_a_driver_that_hangs_does_it_once_it_answers(
    driver: Driver, name: str, set_to: int
) -> None:
    *_, meanwhile, said, standing = driver.run(name, "begin", "hangs=0.8")
    assert meanwhile == [True, False], "waited for, and nothing set"
    assert "refused" not in said
    assert standing == [set_to, 1]


def test_a_gpu_that_is_lost_needs_no_undoing(driver: Driver) -> None:
    *_, undone, standing = driver.run("nvml_power", "begin", "0.8", "state=0.error=15", "restore")
    assert undone == [f"{POWER} is gone"]
    assert standing == [160_000, 0]


def test_a_driver_that_cannot_be_asked_now_leaves_it_to_be_undone(driver: Driver) -> None:
    *_, undone, standing = driver.run("nvml_power", "begin", "0.8", "state=0.error=999", "restore")
    assert "NVML error 999" in undone[0]
    assert standing == [160_000, 1]


def test_clocks_are_locked_and_the_lock_is_ended(driver: Driver) -> None:
    said = driver.run("nvml_clocks", "begin", "0.8", "0.5", "1.0")
    assert said[2:] == [
        f"{CLOCKS} 1590, which the driver does not tell back", [1590, 1],
        f"{CLOCKS} 1005, which the driver does not tell back", [1005, 1],
        "as before", [0, 0],
    ]  # fmt: skip
    *_, undone, standing = driver.run("nvml_clocks", "begin", "0.8", "restore")
    assert (undone, standing) == ([f"{CLOCKS}: no lock any more"], [0, 0])


def test_clocks_that_may_not_be_locked_are_told(driver: Driver) -> None:
    driver.state["0.set.clocks.error"] = 4
    said = driver.run("nvml_clocks", "begin", "0.8")
    assert "needs root" in said[2]
    assert said[3][0] is None


@pytest.mark.parametrize("gpu", ["0", "gpu-0a", "00:01:00.0", "0000:01:00.0"])
def test_the_gpu_is_the_sample_s(driver: Driver, gpu: str) -> None:
    said = driver.run("nvml_power", "begin", gpu=gpu)
    if gpu == "00:01:00.0":
        assert "belongs to no GPU here" in said[0]
    else:
        assert said[0] == f"{POWER} 200000"


def test_without_the_library_it_says_so(driver: Driver, tmp_path: Path) -> None:
    driver.library = tmp_path / "nothing"
    assert "libnvidia-ml.so.1" in driver.run("nvml_power", "begin")[0]
