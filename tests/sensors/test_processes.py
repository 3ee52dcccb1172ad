"""The application's memory and CPU with real processes."""

import errno
import json
import mmap
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from amptalk.sensors.suite import SensorSuite
from tests.sensors.trees import opened, until

SOURCE = str(Path(__file__).resolve().parents[2] / "src")


@contextmanager
def child(code: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process that waits for its standard input after `code`."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def measure(code: str) -> dict[str, float]:
    """Run a script in a process of its own; its last line is the sample as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": SOURCE},
        check=True,
    )
    values: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return values


def test_four_idle_forks_of_300_mib_are_counted_once() -> None:
    values = measure("""
        import json, os
        from amptalk.sensors.suite import SensorSuite
        block = bytearray(os.urandom(1 << 20)) * 300
        forks = []
        for _ in range(4):
            ready, told = os.pipe(), os.pipe()
            pid = os.fork()
            if pid == 0:
                os.close(told[1])
                os.write(ready[1], b"1")
                os.read(told[0], 1)
                os._exit(0)
            os.read(ready[0], 1)
            forks.append((pid, told[1]))
        suite = SensorSuite()
        sample = suite.read()
        print(json.dumps(sample.as_dict()))
        for pid, end in forks:
            os.close(end)
            os.kill(pid, 9)
            os.waitpid(pid, 0)
    """)
    assert values["application.processes"] == 5
    assert values["application.rss_mb"] > 1500
    assert 300 < values["memory_used_mb"] < 340


def test_a_mapped_file_is_shown_apart(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(b"x" * (300 << 20))
    with opened(SensorSuite()) as suite:
        before = suite.read().application
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as weights,
        ):
            assert sum(weights[at] for at in range(0, len(weights), mmap.PAGESIZE)) > 0
            # Refining is limited by its cost, so it may take a moment.
            full = before.file_mb + 290
            until(lambda: suite.refine_memory().application.file_mb > full)
            after = suite.read().application
    assert after.file_mb - before.file_mb == pytest.approx(300, abs=10)
    assert after.memory_mb - before.memory_mb < 10
    assert after.rss_mb - before.rss_mb == pytest.approx(300, abs=10)


def test_memory_agrees_with_psutil() -> None:
    with opened(SensorSuite()) as suite:
        sample, full = suite.refine_memory(), psutil.Process().memory_full_info()
    if sample.application.processes == 1:
        assert sample.application.pss_mb == pytest.approx(full.pss / 2**20, rel=0.05)
    assert sample.application.rss_mb >= full.rss / 2**20 * 0.95


def test_growth_is_seen_in_the_next_read() -> None:
    with opened(SensorSuite()) as suite:
        before = suite.read().memory_used_mb
        block = bytearray(os.urandom(1 << 20)) * 64
        assert suite.read().memory_used_mb - before == pytest.approx(64, abs=6)
        del block


def test_a_child_burning_cpu_is_seen_within_two_reads() -> None:
    with (
        opened(SensorSuite()) as suite,
        child("print('up', flush=True)\nwhile True: pass") as process,
    ):
        assert process.stdout is not None
        process.stdout.readline()
        suite.read()
        before, times = time.monotonic(), psutil.Process(process.pid).cpu_times
        start = times().user
        until(lambda: times().user - start > 0.6, 30)
        burnt = times().user - start
        sample = suite.read()
        assert sample.application.processes >= 2
        # Both reads lie outside of what was measured, and clocks tick every 10 ms.
        assert sample.application.cpu_cores > 0.9 * burnt / (time.monotonic() - before) - 0.02


def test_a_reaped_child_does_not_step_the_cpu_sum_back_or_make_it_jump() -> None:
    with opened(SensorSuite()) as suite:
        tree = suite._application._tree  # type: ignore[attr-defined]
        sums = []

        def read() -> None:
            tree.read(cpu=True)
            sums.append(tree.seconds)

        with child("""
            import sys, time
            while time.process_time() < 0.4: pass
            print("done", flush=True)
            sys.stdin.read()
        """) as process:
            assert process.stdout is not None
            read()
            process.stdout.readline()
            read()
            seen = sums[-1]
            assert seen - sums[0] > 0.3
        for _ in range(3):
            read()
        assert sums == sorted(sums)
        assert sums[-1] - seen < 0.2


def test_a_child_of_another_thread_is_found_when_membership_is_renewed() -> None:
    with opened(SensorSuite()) as suite:
        started = threading.Event()
        release = threading.Event()

        def hold() -> None:
            with child("input()"):
                started.set()
                release.wait(20)

        before = suite.read().application.processes
        thread = threading.Thread(target=hold)
        thread.start()
        try:
            assert started.wait(10)
            suite._medium_at = -1.0
            suite._application._renewed = -1e9  # type: ignore[attr-defined]
            assert suite.read().application.processes == before + 1
        finally:
            release.set()
            thread.join()


def test_a_process_without_children_is_not_searched_for_them() -> None:
    values = measure("""
        import json, subprocess, sys
        from amptalk.sensors import processes
        from amptalk.sensors.suite import SensorSuite
        suite = SensorSuite()
        searches = []
        search = processes.descendants_by_children
        def counted(*given):
            searches.append(given)
            return search(*given)
        processes.descendants_by_children = processes.descendants_by_scan = counted
        def renewed():
            suite._medium_at = suite._application._renewed = -1e9
            searches.clear()
            return suite.read().application.processes
        alone = renewed(), len(searches)
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=-1) as child:
            both = renewed(), len(searches)
            child.kill()
        print(json.dumps(dict(zip(("alone", "unsearched", "both", "searched"), alone + both))))
        """)
    assert values == {"alone": 1, "unsearched": 0, "both": 2, "searched": 1}


def test_where_the_kernel_does_not_tell_of_children_they_are_searched_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_given: object) -> None:
        raise OSError(errno.EINVAL, "no such option before Linux 4.7")

    monkeypatch.setattr(os, "waitid", refuse)
    with opened(SensorSuite()) as suite:
        before = suite.read().application.processes
        with child("input()"):
            until(lambda: suite.read().application.processes == before + 1)


def test_an_excluded_child_is_not_counted() -> None:
    with opened(SensorSuite()) as suite:
        before = suite.read().application.processes
        with child("input()") as process:
            until(lambda: suite.read().application.processes == before + 1)
            suite.exclude(process.pid)
            assert suite.read().application.processes == before


def test_another_process_can_be_the_application() -> None:
    with child("x = bytearray(b'1') * (50 << 20)\nprint(1, flush=True)\ninput()") as process:
        assert process.stdout is not None
        process.stdout.readline()
        with opened(SensorSuite(pid=process.pid)) as suite:
            sample = suite.read()
            assert sample.application.processes == 1
            assert 50 < sample.memory_used_mb < 70
            process.kill()
            process.wait()
            assert "has ended" in suite.read().missing["memory_used_mb"]


def test_a_forked_child_reads_itself_after_reopening() -> None:
    values = measure("""
        import json, os
        from amptalk.sensors.suite import SensorSuite
        suite = SensorSuite()
        block = bytearray(b"1") * (50 << 20)
        parent = suite.read().application.rss_mb
        ends = os.pipe()
        if os.fork() == 0:
            del block
            suite.reopen()
            mine = suite.read()
            line = json.dumps({"rss": mine.application.rss_mb, "parent": parent})
            os.write(ends[1], line.encode())
            os._exit(0)
        os.wait()
        print(os.read(ends[0], 10000).decode())
    """)
    assert values["rss"] < values["parent"] - 40
