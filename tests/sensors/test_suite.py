"""The suite as a whole: one immutable sample a tick, never an exception."""

import errno
import math
import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amptalk.model.errors import ConfigurationError, ScopeError
from amptalk.model.sample import FIELDS
from amptalk.sensors.report import Notes
from amptalk.sensors.suite import SensorSuite
from tests.sensors.trees import PID, Tree, check_reasons, failing, opened, until


def test_every_field_has_a_value_or_a_reason_on_this_machine() -> None:
    with opened(SensorSuite()) as suite:
        until(lambda: suite.read() is not None and suite.rates_fresh)
        sample = suite.read()
    check_reasons(sample)
    assert len(sample.row) == len(FIELDS)
    assert sample.memory_used_mb == sample.application.memory_mb


def test_the_first_read_has_rates_when_50_ms_have_passed() -> None:
    with opened(SensorSuite("device")) as suite:
        begun = time.monotonic()
        until(lambda: time.monotonic() - begun > 0.06)
        assert not math.isnan(suite.read().application.cpu_percent)


def test_the_short_names_are_those_of_the_scope(tree: Tree) -> None:
    for scope, field in (
        ("application", "application.memory_mb"),
        ("device", "device.memory_used_mb"),
    ):
        with opened(tree.suite(scope)) as suite:
            sample = suite.read()
            assert sample.memory_used_mb == sample[field]
            assert sample.missing["cpu_percent"] == sample.missing[f"{scope}.cpu_percent"]


def test_an_unknown_scope_or_pid_says_what_is_allowed() -> None:
    with pytest.raises(ScopeError, match="'application', 'container', 'device'"):
        SensorSuite("world")
    with pytest.raises(ConfigurationError, match="above 0"):
        SensorSuite(pid=0)


def test_reasons_and_origins_stay_the_same_objects_until_something_changes(tree: Tree) -> None:
    with opened(tree.suite()) as suite:
        tree.clock.advance(1)
        first = suite.read()
        tree.clock.advance(1)
        second = suite.read()
        assert second.missing is first.missing
        assert second.provenance is first.provenance
        before = dict(first.missing)
        tree.put("proc/meminfo", "")
        third = suite.read()
        assert third.missing is not first.missing
        assert first.missing == before


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ESRCH, errno.ENODEV, errno.EACCES])
@pytest.mark.parametrize("name", ["meminfo", "stat", "pressure/io", f"{PID}/statm", "vmstat"])
def test_an_error_of_one_file_harms_no_other_and_passes(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, name: str, number: int
) -> None:
    with opened(tree.suite()) as suite:
        tree.clock.advance(1)
        suite.read()
        usual = set(suite.read().missing)
        with monkeypatch.context() as patch:
            failing(patch, f"{tree.roots.proc}/{name}", number)
            tree.clock.advance(6)
            sample = suite.read()
        check_reasons(sample)
        lost = set(sample.missing) - usual
        assert lost
        short = {field.name for field in FIELDS if "." not in field.name}
        assert all(name in sample.missing[field] for field in lost - short)
        for _ in range(3):
            tree.clock.advance(6)
            sample = suite.read()
        assert set(sample.missing) == usual


def test_an_empty_machine_gives_reasons_only(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    with opened(Tree(tmp_path).suite()) as suite:
        sample = suite.read()
        assert suite.files_read() == ()
    check_reasons(sample)
    known = {field.name for field in FIELDS} - set(sample.missing)
    assert not known


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.sampled_from(
        ["stat", "meminfo", "vmstat", "pressure/cpu", f"{PID}/statm", f"{PID}/stat",
         f"{PID}/smaps_rollup", f"{PID}/cgroup", "self/mountinfo", f"{PID}/task/{PID}/children"]
    ),
    data=st.one_of(st.binary(max_size=80), st.text("0123456789 :kBcpu\n-", max_size=80)),
)  # fmt: skip
def test_nothing_that_a_file_holds_raises(tree: Tree, name: str, data: bytes | str) -> None:
    path = tree.root / "proc" / name
    saved = path.read_bytes()
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    try:
        with opened(tree.suite()) as suite:
            for _ in range(3):
                tree.clock.advance(6)
                check_reasons(suite.read())
    finally:
        path.write_bytes(saved)


def test_reports_name_every_field_with_value_cost_or_reason() -> None:
    with opened(SensorSuite()) as suite:
        reports = suite.describe()
        given_fields = {field for report in reports for field in report.gives}
        assert given_fields == {field.name for field in FIELDS if "." in field.name}
        for report in reports:
            assert report.value or report.missing
            assert report.source
        (memory,) = [report for report in reports if report.name == "device memory"]
        assert memory.cost_us > 0
        assert "MB" in memory.value


def test_the_files_of_a_tick_are_few_and_readable() -> None:
    with opened(SensorSuite()) as suite:
        suite.read()
        files = suite.files_read()
    assert f"/proc/{os.getpid()}/statm" in files
    assert len(files) <= 14
    for path in files:
        with Path(path).open("rb") as file:
            file.read()


def test_no_descriptor_is_left_after_closing() -> None:
    def descriptors() -> set[str]:
        return {os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
                if os.path.lexists(f"/proc/self/fd/{fd}")}  # fmt: skip

    before = descriptors()
    suite = SensorSuite()
    suite.read()
    assert f"/proc/{os.getpid()}/statm" in descriptors()
    suite.close()
    suite.close()
    kernel = {name for name in descriptors() - before if name.startswith(("/proc/", "/sys/"))}
    assert {name for name in kernel if not name.endswith("/fd")} == set()


@given(
    st.lists(
        st.tuples(st.sampled_from(["lose", "find", "origin"]), st.sampled_from("abc")), max_size=20
    )
)
def test_notes_say_last_what_was_said_last(steps: list[tuple[str, str]]) -> None:
    from amptalk.model.sample import Provenance

    notes = Notes({"short": "a"})
    expected: dict[str, str] = {}
    for step, field in steps:
        if step == "lose":
            notes.lose((field,), f"{field} is gone")
            expected[field] = f"{field} is gone"
        elif step == "find":
            notes.find((field,))
            expected.pop(field, None)
        elif field not in expected:
            notes.origin((field,), Provenance("measured", field, 1.0))
    notes.refresh()
    short = {"short": expected["a"]} if "a" in expected else {}
    assert notes.missing == expected | short
    assert not set(notes.provenance) & set(notes.missing)
