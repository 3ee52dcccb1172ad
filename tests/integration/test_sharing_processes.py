"""Programs that share one budget: each its own process and manager, no server between them."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from amptalk import (
    AdmissionTimeoutError,
    ConfigurationError,
    Pressure,
    Request,
    ResourceManager,
    create_resource_manager,
)
from tests.helpers import DEADLINE, environment, eventually

LIMIT = 2000.0
LENDER = """
import sys, threading
from amptalk import create_resource_manager
manager = create_resource_manager(
    max_memory_mb=2000, strategy="cooperative", monitoring_interval=0.1, sharing=sys.argv[1]
)
with manager:
    def told(request):
        print(request.level.name, round(request.target), flush=True)
    llm = manager.component("llm", memory_mb=(300, 1500), on_shrink=told)
    for line in sys.stdin:
        if line.startswith("want"):
            llm.demand(memory_mb=float(line.split()[1]))
        elif line.startswith("granted"):
            print(round(llm.grant("memory")), flush=True)
"""


class Program:
    """The other program, which does what it is told."""

    def __init__(self, url: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", LENDER, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env=environment(),
        )  # fmt: skip

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def granted(self) -> float:
        self.tell("granted")
        while not (line := self.hear()).isdigit():
            assert line, "it has ended"
        return float(line)

    def end(self) -> None:
        self.process.kill()
        self.process.wait(DEADLINE)
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:{tmp_path}/shares"


@pytest.fixture
def other(url: str) -> Iterator[Program]:
    program = Program(url)
    yield program
    program.end()


@pytest.fixture
def manager(url: str) -> Iterator[ResourceManager]:
    found = create_resource_manager(
        max_memory_mb=LIMIT, strategy="cooperative", monitoring_interval=0.1, sharing=url
    )
    with found:
        yield found
    found._sharing.book.ledger.close()


def test_one_borrows_what_the_other_lends_and_gives_it_back(
    manager: ResourceManager, other: Program
) -> None:
    eventually(lambda: other.granted() == 1500, "alone it has all that it asks")
    heard: list[Request] = []
    asr = manager.component("asr", memory_mb=(300, 1500), on_shrink=heard.append)
    assert other.hear() == "SHRINK 1000"
    eventually(lambda: asr.grant("memory") == 1000, "half each")
    assert asr.reclaim_seconds == pytest.approx(2.1)
    other.tell("want 400")
    eventually(lambda: asr.grant("memory") == 1500, "what is not wanted is lent")
    eventually(lambda: manager.limit_states[0].limit == 1500, "its limit is what it was granted")
    shares = {share.component: share for share in manager.shares()}
    assert (shares["llm"].granted, shares["llm"].lent, shares["asr"].borrowed) == (400, 600, 500)
    other.tell("want 1500")
    eventually(lambda: other.granted() == 1000, "and given back")
    assert [request.level for request in heard] == [Pressure.SHRINK]
    other.end()
    eventually(lambda: asr.grant("memory") == 1500, "who is killed leaves everything")


def test_a_use_waits_until_others_have_shrunk_first_come_first_served(
    manager: ResourceManager, other: Program
) -> None:
    eventually(lambda: other.granted() == 1500, "alone it has all that it asks")
    asr = manager.component("asr", memory_mb=(300, 1500))
    asr.demand(memory_mb=300)
    eventually(lambda: asr.grant("memory") == 300, "only its minimum")
    eventually(lambda: other.granted() == 1500, "the rest is lent")
    with asr.hold(memory_mb=500, timeout=DEADLINE):
        assert asr.grant("memory") >= 800
        with pytest.raises(AdmissionTimeoutError, match="'asr' was not granted enough within"):
            asr.hold(memory_mb=400, timeout=0.05).__enter__()
    eventually(lambda: asr.grant("memory") == 300, "given back at its end")


def test_asyncio_components_are_called_on_their_loop(
    manager: ResourceManager, other: Program
) -> None:
    import asyncio

    eventually(lambda: other.granted() == 1500, "alone it has all that it asks")
    threads: list[threading.Thread] = []

    async def on_grow(request: Request) -> None:
        threads.append(threading.current_thread())

    async def serve() -> None:
        async with manager.component("asr", memory_mb=(300, 1500), on_grow=on_grow) as asr:
            async with asr.hold(memory_mb=700, timeout=DEADLINE):
                assert asr.grant("memory") == 1000
            while not threads:
                await asyncio.sleep(0)
            waiting = asyncio.ensure_future(asr.hold(memory_mb=1200).__aenter__())
            await asyncio.sleep(0.02)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting

    asyncio.run(serve())
    assert set(threads) == {threading.current_thread()}
    assert [share.component for share in manager.shares()] == ["llm"]


def test_only_the_cooperative_strategy_shares_with_others(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"'dynamic\+cooperative'"):
        create_resource_manager(max_memory_mb=LIMIT, sharing=url)
