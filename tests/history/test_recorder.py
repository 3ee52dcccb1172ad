"""The recorder survives any death of its process, and never takes a file that is not its own."""

from __future__ import annotations

import errno
import fcntl
import math
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amptalk.history import ringfile, ringopen
from amptalk.history.files import load_metrics
from amptalk.history.recorder import Recorder
from amptalk.history.recording import read_recording
from amptalk.history.ringfile import EVENT_SLOTS, PAGE, PAGES_AT, STEPS, PageWriter, Row, read_page
from amptalk.history.ringhead import new_header, pack_event, read_event
from amptalk.model.errors import ConfigurationError, MetricsFileError
from amptalk.model.sample import FIELDS, Sample
from tests.helpers import ROOT
from tests.history.samples import EPOCH, sample

FIELD = "memory_used_mb"


def recorded(path: Path, count: int, start: int = 0) -> Recorder:
    recorder = Recorder(path, 1.0)
    for at in range(start, start + count):
        recorder.record(sample(float(at), {FIELD: at / 4}))
    return recorder


# -- what is recorded is read --------------------------------------------------

values = st.one_of(
    st.just(math.nan), st.floats(-1e4, 1e4), st.sampled_from([0.0, 5.0, 100.0, math.inf, 1e30])
)


@st.composite
def walks(draw: st.DrawFn) -> list[Row]:
    """Rows of which few values change at once, as in life, and some jump or go missing."""
    row = [draw(values) for _ in range(5)] + [math.nan] * (len(FIELDS) - 5)
    rows, at, epoch = [], draw(st.floats(0, 1e6)), EPOCH
    for _ in range(draw(st.integers(1, 120))):
        for position in draw(st.lists(st.integers(0, 7), max_size=3)):
            row[position] = draw(values)
        at += draw(st.floats(0.05, 10))
        epoch += draw(st.sampled_from([0, 0, 0, 0, 0.5, 3600]))
        rows.append(Row(epoch + at, at, tuple(row)))
    return rows


@given(walks())
@settings(max_examples=60, deadline=None)
def test_pages_give_back_every_row_within_the_resolution(rows: list[Row]) -> None:
    writer = PageWriter(session=3)
    pages: list[bytearray] = []
    for row in rows:
        at = writer.used
        record = writer.add(row)
        if record is None:
            pages.append(bytearray(writer.start(len(pages) + 1, row)))
        else:
            pages[-1][at : at + len(record)] = record
    read = [read_page(bytes(page), STEPS) for page in pages]
    found = [row for page in read if page for row in page.rows]
    assert all(page and page.session == 3 and not page.torn for page in read)
    assert len(found) == len(rows)
    for got, row in zip(found, rows, strict=True):
        assert got.monotonic == pytest.approx(row.monotonic, abs=1e-5)
        assert got.time == pytest.approx(row.time, abs=1e-4)
        for step, a, b in zip(STEPS, got.values, row.values, strict=True):
            same = a == b or (math.isnan(a) and math.isnan(b))
            assert same or abs(a - b) <= max(step * 0.501, abs(b) * 1e-7)


def test_a_recording_is_a_metrics_document(tmp_path: Path) -> None:
    path = tmp_path / "flight.ring"
    recorder = recorded(path, 200)
    recorder.note({"kind": "level", "time": EPOCH, "level": "critical", "limit": math.inf})
    document = load_metrics(path)  # while it is being written
    recorder.close()
    assert load_metrics(path).samples == document.samples
    assert document.warnings == []
    assert document.samples[FIELD] == [at / 4 for at in range(200)]
    assert document.samples["monotonic"] == pytest.approx(list(range(200)), abs=1e-5)
    assert document.samples["time"] == pytest.approx([EPOCH + at for at in range(200)], abs=1e-3)
    assert document.samples["session"] == [1.0] * 200
    assert "device.swap_used_mb" not in document.samples
    assert document.units[FIELD] == "MB"
    assert set(document.host) == {"machine", "system", "python"}
    begun, noted = document.events
    assert (begun["kind"], begun["session"], begun["rebooted"]) == ("session", 1, None)
    assert noted == {"kind": "level", "time": EPOCH, "level": "critical", "limit": None}


def test_the_ring_keeps_at_least_the_capacity_and_a_bounded_file(tmp_path: Path) -> None:
    path = tmp_path / "flight.ring"
    recorder = Recorder(path, 1.0, capacity_rows=100)
    size = path.stat().st_size
    draw = random.Random(1)
    row = [50.0] * len(FIELDS)
    for at in range(5000):
        row = [value + draw.uniform(-1, 1) for value in row]
        recorder.record(Sample(EPOCH + at, float(at), tuple(row)))
    recorder.close()
    assert path.stat().st_size == size < 100_000
    kept = [at for at in read_recording(path).samples["monotonic"] if at is not None]
    assert len(kept) >= 100
    assert kept == pytest.approx(list(range(5000 - len(kept), 5000)), abs=1e-5)


def test_a_day_at_1_hz_with_30_series_that_all_move_writes_at_most_20_mb(tmp_path: Path) -> None:
    # The kernel writes the pages that changed since its last flush, 30 s ago at the soonest.
    path = tmp_path / "flight.ring"
    recorder = Recorder(path, 1.0)
    draw = random.Random(1)
    row = [50.0] * 30
    missing = (math.nan,) * (len(FIELDS) - 30)
    flushes, flush_seconds, written = 120, 30, 0
    before = path.read_bytes()
    for at in range(flushes * flush_seconds):
        row = [value + draw.choice([-1, 1]) * draw.uniform(0.1, 3) for value in row]
        recorder.record(Sample(EPOCH + at, float(at), (*row, *missing)))
        if (at + 1) % flush_seconds == 0:
            after = path.read_bytes()
            blocks = range(0, len(after), PAGE)
            written += PAGE * sum(before[i : i + PAGE] != after[i : i + PAGE] for i in blocks)
            before = after
    recorder.close()
    assert written > 0
    assert written / flushes * (86_400 / flush_seconds) <= 20e6


def test_values_that_jump_too_far_for_a_step_do_not_fill_the_ring(tmp_path: Path) -> None:
    path = tmp_path / "flight.ring"
    recorder = Recorder(path, 1.0, capacity_rows=1000)
    swings = [100.0 if at % 2 else 9000.0 for at in range(1000)]
    for at, value in enumerate(swings):
        recorder.record(sample(float(at), {FIELD: value}))
    recorder.close()
    assert read_recording(path).samples[FIELD] == swings


def test_events_are_a_ring_too_and_a_long_one_is_cut_to_valid_json(tmp_path: Path) -> None:
    path = tmp_path / "flight.ring"
    recorder = recorded(path, 1)
    for number in range(EVENT_SLOTS + 5):
        recorder.note({"kind": "n", "time": EPOCH, "number": number})
    recorder.note({"kind": "long", "time": EPOCH, "text": "ü" * 5000, "list": list(range(999))})
    recorder.close()
    events = read_recording(path).events
    assert len(events) == EVENT_SLOTS
    assert [event["number"] for event in events[:2]] == [6, 7]
    assert events[-1]["kind"] == "long"
    assert events[-1]["cut"] is True
    assert "list" not in events[-1]


@given(st.dictionaries(st.text(max_size=30), st.one_of(st.text(max_size=300), st.floats())))
@settings(max_examples=50, deadline=None)
def test_any_event_fits_its_slot(event: dict[str, object]) -> None:
    slot = pack_event(7, event)
    assert len(slot) == ringfile.EVENT_BYTES
    found = read_event(slot)
    assert found is not None
    assert found[0] == 7
    assert found[1].get("cut") or found[1].keys() == event.keys()


# -- going on after an end -------------------------------------------------------


def test_a_second_run_goes_on_behind_the_first_as_a_new_session(tmp_path: Path) -> None:
    path = tmp_path / "flight.ring"
    recorded(path, 50).close()
    recorded(path, 50, start=50).close()
    document = read_recording(path)
    assert document.samples["session"] == [1.0] * 50 + [2.0] * 50
    assert document.samples[FIELD] == [at / 4 for at in range(100)]
    assert [event["session"] for event in document.events] == [1, 2]


@pytest.mark.parametrize(
    ("monotonic", "wall", "rebooted"), [(-5.0, -5.0, False), (1e9, -5.0, True), (-5.0, -9e6, None)]
)
def test_a_new_session_says_whether_the_machine_was_started_anew(
    tmp_path: Path, monotonic: float, wall: float, rebooted: bool | None
) -> None:
    path = tmp_path / "flight.ring"
    first = Recorder(path, 1.0)
    values = sample(0.0, {}).row
    first.record(Sample(time.time() + wall, time.monotonic() + monotonic, values))
    first.close()
    Recorder(path, 1.0).close()
    assert read_recording(path).events[-1]["rebooted"] is rebooted


def test_the_capacity_of_an_existing_recording_stays(tmp_path: Path) -> None:
    path = tmp_path / "flight.ring"
    recorded(path, 5).close()
    size = path.stat().st_size
    Recorder(path, 1.0, capacity_rows=10).close()
    assert path.stat().st_size == size
    assert len(read_recording(path)) == 5


CHILD = """
import os, sys
from amptalk.history.recorder import Recorder
from tests.history.samples import sample
recorder = Recorder(sys.argv[1], 0.001)
number = int(sys.argv[2])
while True:
    values = {"memory_used_mb": number % 5000, "cpu_percent": number % 97}
    recorder.record(sample(number / 100, values))
    os.write(1, b"%d\\n" % number)
    number += 1
"""


def test_sigkill_loses_at_most_the_tick_in_flight(tmp_path: Path) -> None:
    path = tmp_path / "flight.ring"
    draw = random.Random(7)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    number = 0
    for session in range(1, 6):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(path), str(number)],
            stdout=subprocess.PIPE, env=environment,
        )  # fmt: skip
        assert child.stdout is not None
        try:
            for _ in range(draw.randrange(1, 800)):
                child.stdout.readline()
        finally:
            child.send_signal(signal.SIGKILL)
            rest = child.stdout.read().split()
            child.stdout.close()
            assert child.wait() == -signal.SIGKILL
        told = int(rest[-1]) if rest and rest[-1].isdigit() else None
        document = read_recording(path)
        newest = document.samples["monotonic"][-1]
        assert newest is not None
        last = round(newest * 100)
        if told is not None:
            # Told after it was recorded: one more may have been recorded and not told.
            assert told <= last <= told + 1
        assert document.samples["session"][-1] == session
        assert document.samples[FIELD][-1] == last % 5000
        assert document.samples["cpu_percent"][-1] == last % 97
        assert len(document.warnings) <= session
        number = last + 1
    kept = [round(at * 100) for at in read_recording(path).samples["monotonic"] if at is not None]
    assert kept == list(range(kept[0], number))


@given(st.integers(1, 60), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_a_row_torn_at_any_byte_is_told_from_the_rows_before_it(count: int, seed: int) -> None:
    draw = random.Random(seed)
    writer = PageWriter(1)
    row = Row(EPOCH, 1.0, tuple(draw.uniform(0, 100) for _ in FIELDS))
    page = bytearray(writer.start(1, row))
    rows = 1
    for step in range(count):
        at = writer.used
        moved = tuple(value + draw.uniform(-1, 1) for value in row.values)
        record = writer.add(Row(EPOCH + step, 1.0 + step, moved))
        if record is None:
            break
        page[at : at + len(record)] = record
        rows += 1
    else:
        assert record is not None
        written = draw.randrange(len(record))
        if any(record[written:]):  # what was there before is zeros
            page[at + written : at + len(record)] = bytes(len(record) - written)
            rows -= 1
    found = read_page(bytes(page), STEPS)
    assert found is not None
    assert len(found.rows) == rows


def test_a_torn_row_and_a_damaged_page_are_left_out_and_told(tmp_path: Path) -> None:
    path = tmp_path / "flight.ring"
    recorded(path, 1000).close()
    whole = read_recording(path).samples[FIELD]
    content = bytearray(path.read_bytes())
    content[PAGES_AT + 20] ^= 0xFF
    first_page = read_page(path.read_bytes()[PAGES_AT : PAGES_AT + PAGE], STEPS)
    assert first_page is not None
    path.write_bytes(content)
    document = read_recording(path)
    assert document.samples[FIELD] == whole[len(first_page.rows) :]
    assert document.warnings == ["page 0 is damaged and left out"]


# -- files that are not ours ----------------------------------------------------


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"precious data " * 100, "no recording of AMPTALK"), (b"AMPTALKR" + b"x" * 9000, "damaged")],
)
def test_a_foreign_or_damaged_file_is_refused_and_stays_as_it_is(
    tmp_path: Path, content: bytes, told: str
) -> None:
    path = tmp_path / "flight.ring"
    path.write_bytes(content)
    with pytest.raises(MetricsFileError, match=told):
        Recorder(path, 1.0)
    with pytest.raises(MetricsFileError, match=told):
        load_metrics(path)
    assert path.read_bytes() == content


def test_a_recording_cut_short_or_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "flight.ring"
    recorded(path, 5).close()
    content = path.read_bytes()
    path.write_bytes(content[:-100])
    with pytest.raises(MetricsFileError, match="cut short"):
        Recorder(path, 1.0)
    with pytest.raises(MetricsFileError, match="cut short"):
        read_recording(path)


def test_a_recording_with_other_fields_is_refused_but_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "flight.ring"
    recorded(path, 5).close()

    def newer(pages: int, interval: float) -> object:
        return new_header(pages, interval)._replace(fields=("other",))

    monkeypatch.setattr(ringopen, "new_header", newer)
    with pytest.raises(MetricsFileError, match="another version of AMPTALK with other fields"):
        Recorder(path, 1.0)
    assert len(load_metrics(path)) == 5


def test_what_an_interrupted_creation_left_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "flight.ring"
    for left in (b"", bytes(PAGE)):
        path.write_bytes(left)
        recorded(path, 3).close()
        assert len(read_recording(path)) == 3
        path.unlink()


def test_a_file_in_use_is_refused_in_this_and_any_other_process(tmp_path: Path) -> None:
    path = tmp_path / "flight.ring"
    recorder = recorded(path, 1)
    with pytest.raises(MetricsFileError, match="another manager or process is recording"):
        Recorder(path, 1.0)
    code = (
        "import sys\nfrom amptalk.history.recorder import Recorder\n"
        "try:\n    Recorder(sys.argv[1], 1.0)\nexcept Exception as error:\n    print(error)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    ).stdout  # fmt: skip
    assert "another manager or process is recording" in told
    recorder.close()
    recorded(path, 1).close()


def in_child(work: object) -> int:
    """Run `work` in a fork; its exit status."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()  # type: ignore[operator]
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_forked_child_writes_nothing_and_does_not_keep_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "flight.ring"
    recorder = recorded(path, 3)
    before = path.read_bytes()

    def child() -> None:
        recorder.record(sample(99.0, {FIELD: 1.0}))
        recorder.note({"kind": "child", "time": EPOCH})
        recorder.sync()
        recorder.close()

    assert in_child(child) == 0
    assert path.read_bytes() == before
    with pytest.raises(MetricsFileError, match="is recording"):
        Recorder(path, 1.0)
    reading, writing = os.pipe()
    started, starting = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writing)
        os.write(starting, b"1")
        os.read(reading, 1)  # lives on until the parent has let go
        os._exit(0)
    os.close(reading)
    os.close(starting)
    os.read(started, 1)  # before that the child still shares the file
    os.close(started)
    try:
        recorder.record(sample(3.0, {FIELD: 7.0}))
        recorder.close()
        descriptor = os.open(path, os.O_RDWR)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(descriptor)
    finally:
        os.close(writing)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert read_recording(path).samples[FIELD][-1] == 7.0


# -- making the file and bringing it to the disk ---------------------------------


def test_a_full_disk_is_told_when_the_file_is_made_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(MetricsFileError, match=r"No space left on device; \d+ KiB are needed"):
        Recorder(tmp_path / "flight.ring", 1.0)
    assert list(tmp_path.iterdir()) == []


def test_the_file_has_no_holes_with_or_without_fallocate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    Recorder(tmp_path / "a.ring", 1.0).close()
    monkeypatch.setattr(os, "posix_fallocate", unsupported)
    Recorder(tmp_path / "b.ring", 1.0).close()
    for path in tmp_path.iterdir():
        state = path.stat()
        assert state.st_blocks * 512 >= state.st_size


@pytest.mark.parametrize("place", ["nowhere/flight.ring", ".", "/dev/null"])
def test_a_path_that_cannot_be_a_recording_is_refused(tmp_path: Path, place: str) -> None:
    with pytest.raises(MetricsFileError, match="cannot record to"):
        Recorder(tmp_path / place, 1.0)


@pytest.mark.parametrize(("interval", "rows"), [(0.0, 10), (math.nan, 10), (1.0, 0)])
def test_an_interval_or_capacity_that_is_none_is_refused(
    tmp_path: Path, interval: float, rows: int
) -> None:
    with pytest.raises(ConfigurationError):
        Recorder(tmp_path / "flight.ring", interval, rows)


def test_sync_reaches_the_disk_at_most_once_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    recorder = recorded(tmp_path / "flight.ring", 3)
    monkeypatch.setattr(os, "fdatasync", synced.append)
    for _ in range(130):
        now[0] += 1.0
        recorder.sync()
    assert len(synced) == 2
    recorder.close()
    recorder.sync()
    assert len(synced) == 3


def test_after_close_recording_is_a_no_op_and_closing_again_too(tmp_path: Path) -> None:
    recorder = recorded(tmp_path / "flight.ring", 3)
    recorder.close()
    recorder.record(sample(9.0, {FIELD: 1.0}))
    recorder.note({"kind": "late", "time": EPOCH})
    recorder.close()
    assert len(read_recording(tmp_path / "flight.ring")) == 3
