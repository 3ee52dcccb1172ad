"""An entry reads back as it was written, and can name no file but those that are changed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.actuators.journal.changes import (
    CONTROLLERS,
    GROUP,
    VALUE,
    Change,
    Entry,
    from_text,
    to_text,
    wrong,
)
from amptalk.model.errors import JournalError
from amptalk.sensors.identity import Identity

OWNER = Identity(42, 7, "boot", "pid:[1]")
GROUP_FOLDER = "/sys/fs/cgroup/memory/unit/amptalk-42-7"
LIMIT = Change(VALUE, f"{GROUP_FOLDER}/memory.max", "max", ("1048576",))
ALLOWED = [
    LIMIT,
    Change(GROUP, GROUP_FOLDER, "/sys/fs/cgroup/memory/unit"),
    Change(CONTROLLERS, "/sys/fs/cgroup/unit/cgroup.subtree_control", "", ("memory",)),
    Change(VALUE, "/proc/99/oom_score_adj", "0", ("500",), (99, 12)),
    LIMIT._replace(path="/sys/fs/cgroup/memory/unit/memory.max"),
]
FORBIDDEN = [
    LIMIT._replace(path="/sys/fs/cgroup/memory/unit/memory.high"),
    LIMIT._replace(path="/sys/fs/cgroup/memory.max"),
    LIMIT._replace(path="/home/unit/memory.max"),
    LIMIT._replace(path=f"{GROUP_FOLDER}/../memory.max"),
    LIMIT._replace(path=f"{GROUP_FOLDER}/cgroup.procs"),
    LIMIT._replace(path="/etc/passwd"),
    LIMIT._replace(path="memory.max"),
    LIMIT._replace(kind="command"),
    Change(GROUP, "/sys/fs/cgroup/memory/unit/theirs", "/sys/fs/cgroup/memory/unit"),
    Change(GROUP, GROUP_FOLDER, "/sys/fs/cgroup/memory/other"),
    Change(CONTROLLERS, "/sys/fs/cgroup/unit/cgroup.procs", "", ("memory",)),
    Change(VALUE, "/proc/99/oom_score_adj", "0", ("500",), (1, 12)),
    Change(VALUE, "/proc/99/oom_score_adj", "0", ("500",)),
]


@pytest.mark.parametrize("change", ALLOWED, ids=lambda change: change.path)
def test_what_is_changed_reads_back_as_written(change: Change) -> None:
    entry = Entry(OWNER, 3, change)
    assert from_text(to_text(entry), entry.name) == entry


@pytest.mark.parametrize("change", FORBIDDEN, ids=str)
def test_no_other_file_can_be_named(change: Change) -> None:
    assert wrong(change)
    entry = Entry(OWNER, 3, change)
    with pytest.raises(JournalError, match="left alone"):
        from_text(to_text(entry), entry.name)


def test_an_entry_under_another_name_is_left_alone() -> None:
    with pytest.raises(JournalError, match="named for another entry"):
        from_text(to_text(Entry(OWNER, 3, LIMIT)), "42-7-000004.json")


def test_an_entry_of_another_format_names_the_remedy() -> None:
    plain = json.loads(to_text(Entry(OWNER, 3, LIMIT)))
    plain["format"] = 2
    with pytest.raises(JournalError, match="use the version that wrote it"):
        from_text(json.dumps(plain).encode(), "42-7-000003.json")


@given(st.integers(0, 600), st.binary(max_size=8))
def test_a_damaged_entry_is_an_error_and_nothing_else(cut: int, noise: bytes) -> None:
    entry = Entry(OWNER, 3, LIMIT)
    data = to_text(entry)
    damaged = data[: cut % len(data)] + noise
    try:
        read = from_text(damaged, entry.name)
    except JournalError:
        return
    assert not wrong(read.change)
