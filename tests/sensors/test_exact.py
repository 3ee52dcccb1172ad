"""Exact readings of shared memory: how they correct the estimate, and how much one tick reads."""

import errno
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amptalk.clock import VirtualClock
from amptalk.sensors import exact
from amptalk.sensors.processes import ProcessTree
from amptalk.sensors.procstat import PAGE_KIB, Rollup
from amptalk.sensors.suite import SensorSuite
from tests.sensors.test_processes import child
from tests.sensors.trees import PID, ROLLUP, Tree, check_reasons, failing, opened


def test_an_estimate_stays_right_while_a_process_allocates_and_frees_100_mb() -> None:
    code = """
        words = open("/proc/self/statm").read().split()
        print(int(words[1]) - int(words[2]), flush=True)
        while True:
            block = bytearray(b"1") * (100 << 20)
            del block
    """
    clock = VirtualClock()
    with child(code) as process:
        assert process.stdout is not None
        base = int(process.stdout.readline()) * PAGE_KIB / 1024
        with opened(SensorSuite(clock=clock, pid=process.pid)) as suite:
            seen: list[float] = []
            deadline = time.monotonic() + 20
            while len(seen) < 150 or max(seen) - min(seen) < 60:
                assert time.monotonic() < deadline, "the child was never seen small and big"
                seen.append(suite.read().memory_used_mb)
                clock.advance(61 if len(seen) % 3 == 0 else 0.1)  # every third reading is exact
    assert base - 2 < min(seen)
    assert max(seen) < base + 100 + 4


@pytest.fixture
def crowd(tree: Tree) -> Tree:
    """The application with three children of 100 MB."""
    pids = (5000, 5001, 5002)
    for pid in pids:
        tree.process(pid, PID)
    tree.process(PID, children=pids)
    return tree


def test_a_tick_reads_as_many_processes_exactly_as_its_time_allows(
    crowd: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(crowd.suite()) as suite:
        assert suite.read().application.anonymous_mb == pytest.approx(4 * 60000 / 1024)
        for pid in (PID, 5000, 5001, 5002):
            crowd.put(f"proc/{pid}/smaps_rollup", ROLLUP.replace("60000", "50000"))
        monkeypatch.setattr(exact, "A_TICK", 0.0)  # no time: one process a tick is the least
        crowd.clock.advance(60)
        begun = crowd.clock.monotonic()
        anonymous, pss = [], []
        for _ in range(4):
            sample = suite.read()
            anonymous.append(sample.application.anonymous_mb)
            pss.append(sample.provenance["application.pss_mb"].measured_at)
            crowd.clock.advance(1)
        assert anonymous == pytest.approx([(240000 - done * 10000) / 1024 for done in (1, 2, 3, 4)])
        assert [at == begun for at in pss] == [False, False, False, True]
        assert sample.provenance["memory_used_mb"].method == "derived"


def test_until_the_first_pass_has_ended_memory_is_a_bound_and_the_rest_has_a_reason(
    crowd: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("A_TICK", "AT_ONCE"):
        monkeypatch.setattr(exact, name, 0.0)
    with opened(crowd.suite()) as suite:
        sample = suite.read()
        check_reasons(sample)
        assert "not ended yet" in sample.missing["application.pss_mb"]
        assert sample.provenance["memory_used_mb"].method == "estimated"
        assert sample.application.memory_mb <= sample.application.rss_mb
        suite.read()
        assert suite.read().application.pss_mb == pytest.approx(4 * 100000 / 1024)


def test_refining_goes_on_with_an_unfinished_pass(
    crowd: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(crowd.suite()) as suite:
        for pid in (PID, 5000, 5001, 5002):
            crowd.put(f"proc/{pid}/smaps_rollup", ROLLUP.replace("60000", "50000"))
        monkeypatch.setattr(exact, "A_TICK", 0.0)
        crowd.clock.advance(60)
        suite.read()
        assert suite.refine_memory().application.anonymous_mb == pytest.approx(4 * 50000 / 1024)


def test_a_process_that_ends_during_a_pass_is_passed_over(
    crowd: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(crowd.suite()) as suite:
        monkeypatch.setattr(exact, "A_TICK", 0.0)
        crowd.clock.advance(60)
        suite.read()
        for name in ("stat", "smaps_rollup"):
            crowd.remove(f"proc/5001/{name}")
        failing(monkeypatch, f"{crowd.roots.proc}/5001/statm", errno.ESRCH)
        for _ in range(3):
            sample = suite.read()
        assert sample.application.pss_mb == pytest.approx(3 * 100000 / 1024)
        assert sample.application.memory_mb == pytest.approx(3 * 70000 / 1024)


_STEPS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.one_of(
            st.tuples(st.integers(0, 1000), st.integers(0, 1000)),  # anonymous, shared
            st.integers(0, 2000),  # an exact reading that found so much charged to others
        ),
    ),
    max_size=30,
)


@settings(max_examples=100, deadline=None)
@given(_STEPS)
def test_the_sum_is_that_of_the_processes_and_none_is_below_zero_or_above_what_it_holds(
    steps: list[tuple[int, tuple[int, int] | int]],
) -> None:
    tree = _bare_tree()
    members = list(tree.members.values())
    for which, step in steps:
        process = members[which]
        if isinstance(step, tuple):
            anonymous, shared = step
            tree._take(process, b"0 %d %d 0" % (anonymous + shared, shared))
        else:
            kib = step * PAGE_KIB
            tree.correct(process, Rollup(kib, 0, 0, 0, 0, "measured", "smaps_rollup"))
            held = process.resident - process.shared
            assert process.used == max(0, held - step)
        for one in members:
            assert 0 <= one.used <= one.resident - one.shared
        assert tree.used == sum(one.used for one in members)


def _bare_tree() -> ProcessTree:
    """Four processes without any file."""
    from amptalk.sensors.process import Process
    from amptalk.sensors.procstat import ProcessStat

    tree = ProcessTree.__new__(ProcessTree)
    tree.root, tree.living, tree.resident, tree.shared, tree.used = 1, 0, 0, 0, 0.0
    tree._left_out = 0
    stat = ProcessStat(0, 0, 0.0, 0.0, 0)
    tree.members = {pid: Process("/proc", pid, stat, keep=False) for pid in (1, 2, 3, 4)}
    return tree
