"""Metrics files: what is saved is loaded again, and a damaged file says what is wrong with it."""

from __future__ import annotations

import csv
import json
import math
import os
import re
import resource
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amptalk.history import json_format
from amptalk.history.document import MetricsDocument, document_of
from amptalk.history.files import load_metrics, save_metrics
from amptalk.history.history import History
from amptalk.model.action import Verdict
from amptalk.model.errors import ConfigurationError, MetricsFileError
from amptalk.model.level import Level, Violation
from amptalk.model.sample import Sample
from tests.helpers import ROOT
from tests.history.samples import EPOCH, sample

SUFFIXES = [".json", ".jsonl", ".csv", ".sqlite"]
every_format = pytest.mark.parametrize("suffix", SUFFIXES)

numbers = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
plain_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**9), 10**9), numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=6,
)
mappings = st.dictionaries(texts, plain_values, max_size=4)
column_names = st.lists(
    st.from_regex(r"[a-z_][a-z0-9_.\-]{0,10}", fullmatch=True), max_size=4, unique=True
)


@st.composite
def documents(draw: st.DrawFn) -> MetricsDocument:
    rows = draw(st.integers(0, 12))
    names = ["time", "monotonic", *draw(column_names)]
    column = st.lists(numbers, min_size=rows, max_size=rows)
    return MetricsDocument(
        samples={name: draw(column) for name in dict.fromkeys(names)},
        units=draw(st.dictionaries(texts, texts, max_size=3)),
        host=draw(mappings),
        config=draw(mappings),
        events=draw(st.lists(mappings, max_size=4)),
        violations=draw(st.lists(mappings, max_size=2)),
        effectiveness=draw(mappings),
        missing=draw(st.dictionaries(texts, texts, max_size=3)),
    )


def violation() -> dict[str, object]:
    made = Violation("memory", "MB", 100.0, EPOCH, peak=120.0)
    made.actions.append("gc: worked")
    return made.as_dict()


def a_document(rows: int = 5) -> MetricsDocument:
    return MetricsDocument(
        samples={
            "time": [EPOCH + i for i in range(rows)],
            "monotonic": [100.0 + i for i in range(rows)],
            "memory_used_mb": [None if i == 1 else i * 1.1 for i in range(rows)],
        },
        units={"memory_used_mb": "MB"},
        events=[{"kind": "level", "time": EPOCH, "level": "critical"}],
    )


@every_format
@given(document=documents())
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_is_saved_is_loaded_again(
    tmp_path: Path, suffix: str, document: MetricsDocument
) -> None:
    path = tmp_path / f"metrics{suffix}"
    save_metrics(path, document)
    loaded = load_metrics(path)
    assert loaded.samples == document.samples
    assert list(loaded.samples) == list(document.samples)
    assert loaded.warnings == []
    if suffix != ".csv":
        assert loaded == document
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def a_run() -> MetricsDocument:
    history = History(1.0)
    for at in range(100):
        history.append(
            Sample(
                EPOCH + at, float(at), sample(0.0, {"memory_used_mb": at + 0.1}).row,
                missing={"power_watts": "no sensor"},
            )
        )  # fmt: skip
    history.note("level", EPOCH + 5, level=Level.CRITICAL, value=math.nan, limit=math.inf)
    return document_of(
        history,
        config={"limits": {"memory": 100.0}, "callback": print, "path": Path("x")},
        violations=[violation()],
        effectiveness={"verdict": Verdict.NO_EFFECT, "scores": (1, math.nan)},
    )


@every_format
def test_a_run_is_saved_with_reasons_for_what_is_missing(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"run{suffix}"
    save_metrics(path, a_run())
    loaded = load_metrics(path)
    assert len(loaded) == 100
    assert loaded.samples["memory_used_mb"][:2] == [0.1, 1.1]
    assert loaded.samples["power_watts"] == [None] * 100
    assert loaded.units["memory_used_mb"] == "MB"
    if suffix != ".csv":
        assert loaded.missing == {"power_watts": "no sensor"}
        assert set(loaded.host) == {"machine", "system", "python"}
        assert loaded.events[0]["level"] == "critical"
        assert loaded.events[0]["value"] is None
        assert loaded.violations[0]["actions"] == ["gc: worked"]
        assert loaded.effectiveness == {"verdict": "no effect", "scores": [1, None]}
        assert loaded.config["path"] == "x"


def test_nan_and_infinities_of_a_document_made_by_hand_become_null(tmp_path: Path) -> None:
    document = a_document()
    document.samples["memory_used_mb"] = [math.nan, math.inf, -math.inf, 1.0, None]
    document.events = [{"kind": "x", "time": EPOCH, "value": math.inf}]
    for suffix in SUFFIXES:
        save_metrics(tmp_path / f"m{suffix}", document)
        loaded = load_metrics(tmp_path / f"m{suffix}")
        assert loaded.samples["memory_used_mb"] == [None, None, None, 1.0, None]
    text = (tmp_path / "m.json").read_text()
    assert not re.search(r"NaN|Infinity", text)


def test_json_follows_the_published_schema(tmp_path: Path) -> None:
    schema = json.loads((ROOT / "docs" / "metrics.schema.json").read_text())
    save_metrics(tmp_path / "run.json", a_run())
    check(schema, json.loads((tmp_path / "run.json").read_text()))
    for broken in (
        {"schema_version": 1},
        {"schema_version": 2, "samples": {"time": [], "monotonic": []}},
        {"schema_version": 1, "samples": {"time": ["x"], "monotonic": [1]}},
    ):
        with pytest.raises(AssertionError):
            check(schema, broken)


def check(schema: dict[str, Any], value: object) -> None:
    """The part of JSON Schema that ours uses."""
    types: dict[str, type | tuple[type, ...]] = {
        "object": dict, "array": list, "string": str, "number": (int, float), "null": type(None),
    }  # fmt: skip
    known = {
        "$schema", "title", "description", "type", "required", "properties", "const", "items",
        "additionalProperties", "patternProperties",
    }  # fmt: skip
    assert set(schema) <= known
    if "const" in schema:
        assert value == schema["const"]
    if "type" in schema:
        allowed = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        assert any(isinstance(value, types[name]) for name in allowed), (value, allowed)
    if isinstance(value, list):
        for item in value:
            check(schema.get("items", {}), item)
    if isinstance(value, dict):
        assert set(schema.get("required", [])) <= set(value)
        for name, item in value.items():
            parts = [schema["properties"][name]] if name in schema.get("properties", {}) else []
            patterns = schema.get("patternProperties", {}).items()
            parts += [part for pattern, part in patterns if re.search(pattern, name)]
            extra = schema.get("additionalProperties", {})
            assert parts or extra is not False, name
            for part in parts or [extra]:
                check(part, item)


def test_csv_is_read_by_any_csv_reader(tmp_path: Path) -> None:
    save_metrics(tmp_path / "m.csv", a_document())
    with (tmp_path / "m.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[2] == {"time": str(EPOCH + 2), "monotonic": "102.0", "memory_used_mb": "2.2"}
    assert rows[1]["memory_used_mb"] == ""


def test_sqlite_answers_sql_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    save_metrics(path, a_document())
    with closing(sqlite3.connect(path)) as database:
        [peak] = database.execute("SELECT max(memory_used_mb) FROM samples").fetchone()
        kinds = database.execute("SELECT kind, time FROM events").fetchall()
        [mode] = database.execute("PRAGMA journal_mode").fetchone()
    assert peak == 4.4
    assert kinds == [("level", EPOCH)]
    assert mode == "delete"
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.sqlite"]


def test_json_lines_are_read_line_by_line(tmp_path: Path) -> None:
    save_metrics(tmp_path / "m.jsonl", a_document())
    lines = [json.loads(line) for line in (tmp_path / "m.jsonl").read_text().splitlines()]
    assert lines[0]["schema_version"] == 1
    assert lines[1] == {"time": EPOCH, "monotonic": 100.0, "memory_used_mb": 0.0}
    assert lines[-1] == {"event": {"kind": "level", "time": EPOCH, "level": "critical"}}


@pytest.mark.parametrize("name", ["metrics.txt", "metrics", "metrics.json.bak", "metrics.ring"])
def test_a_suffix_that_is_no_format_is_refused_with_those_that_are(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(ConfigurationError, match=r"\.json, \.jsonl, \.csv, \.sqlite"):
        save_metrics(tmp_path / name, a_document())
    assert list(tmp_path.iterdir()) == []


def test_capitals_in_the_suffix_do_not_matter(tmp_path: Path) -> None:
    save_metrics(tmp_path / "M.JSON", a_document())
    assert len(load_metrics(tmp_path / "M.JSON")) == 5


# -- writing that fails --------------------------------------------------------


@every_format
def test_a_folder_that_is_absent_is_named(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(MetricsFileError, match=r"make the folder .*nowhere first"):
        save_metrics(tmp_path / "nowhere" / f"m{suffix}", a_document())


def test_a_folder_as_the_path_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.json").mkdir()
    with pytest.raises(MetricsFileError, match="it is a folder"):
        save_metrics(tmp_path / "m.json", a_document())
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.json"]


@every_format
def test_writing_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"m{suffix}"
    save_metrics(path, a_document())
    before = path.read_bytes()
    # A real refusal by the kernel: no file may grow beyond 4 KiB.
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(MetricsFileError, match=r"cannot write .*m\."):
            save_metrics(path, a_document(2000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_disk_that_fails_at_the_flush_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.json"
    save_metrics(path, a_document())

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MetricsFileError, match="No space left on device; free some space"):
        save_metrics(path, a_document(50))
    monkeypatch.undo()
    assert len(load_metrics(path)) == 5
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.json"]


def test_columns_of_unequal_length_are_not_written(tmp_path: Path) -> None:
    document = a_document()
    document.samples["memory_used_mb"].pop()
    with pytest.raises(MetricsFileError, match="has 4 values and 'time' has 5"):
        save_metrics(tmp_path / "m.json", document)


@pytest.mark.parametrize("name", ["", "a b", "1st", 'a"b', "Time", "é"])
def test_column_names_that_some_format_cannot_hold_are_not_written(
    tmp_path: Path, name: str
) -> None:
    document = a_document()
    document.samples[name] = [None] * 5
    with pytest.raises(MetricsFileError, match="column"):
        save_metrics(tmp_path / "m.csv", document)


def test_a_link_stays_a_link_and_the_mode_is_that_of_any_new_file(tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    real.write_text("old")
    link.symlink_to(real)
    before = os.umask(0o027)
    try:
        save_metrics(link, a_document())
    finally:
        os.umask(before)
    assert link.is_symlink()
    assert len(load_metrics(real)) == 5
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


def test_json_is_encoded_in_pieces_too_small_to_hold_up_other_threads() -> None:
    # The encoder holds the interpreter for the length of a piece: 1 MB is some 10 ms.
    document = a_document(40_000)
    document.events *= 5000
    pieces = [len(piece) for piece in json_format._pieces(document)]
    assert sum(pieces) > 1_000_000
    assert max(pieces) < 32_000


# -- files that are damaged or not ours -----------------------------------------


@every_format
def test_a_file_that_is_absent_is_told(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(MetricsFileError, match=r"cannot read .*No such file"):
        load_metrics(tmp_path / f"m{suffix}")


@every_format
@pytest.mark.parametrize(
    "content", [b"", b"\x00\xff\xfe\x80 binary", b"hello\n", b"[" * 100_000, b'{"a": 1}\n'],
    ids=["empty", "binary", "text", "nested", "other json"],
)  # fmt: skip
def test_a_foreign_file_is_one_clear_error(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"m{suffix}"
    path.write_bytes(content)
    with pytest.raises(MetricsFileError, match=re.escape(str(path))):
        load_metrics(path)


@every_format
@given(data=st.data())
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_damage_anywhere_is_an_error_of_ours_or_harmless(
    tmp_path: Path, suffix: str, data: st.DataObject
) -> None:
    path = tmp_path / f"m{suffix}"
    save_metrics(path, a_document(40))
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    for _ in range(data.draw(st.integers(0, 3))):
        if content:
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content))
    try:
        loaded = load_metrics(path)
    except MetricsFileError as error:
        assert str(path) in str(error)
    else:
        assert len({len(column) for column in loaded.samples.values()}) == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"schema_version": 2}, "schema_version is 2; this version of AMPTALK reads 1"),
        ({"schema_version": None}, "schema_version is None"),
        ({"samples": [1]}, "'samples' must map"),
        ({"samples": {"time": [1.0]}}, "no column 'monotonic'"),
        ({"samples": {"time": [1.0], "monotonic": []}}, "'monotonic' has 0 values"),
        ({"samples": {"time": ["x"], "monotonic": [1]}}, r"samples\['time'\]\[0\]: 'x' is not"),
        ({"samples": {"time": [True], "monotonic": [1]}}, "is not a finite number or null"),
        ({"samples": {"time": [10**400], "monotonic": [1]}}, "is not a finite number"),
        ({"events": {}}, "'events' must be a list of objects"),
        ({"events": [1]}, "'events' must be a list of objects"),
        ({"config": []}, "'config' must be an object, not a list"),
        ({"units": {"a": 1}}, "'units' must map names to texts"),
    ],
)
def test_a_wrong_part_of_a_json_file_is_named(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    path = tmp_path / "m.json"
    save_metrics(path, a_document())
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(MetricsFileError, match=told):
        load_metrics(path)


def test_cut_json_says_line_and_column_and_nan_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    save_metrics(path, a_document())
    path.write_text(path.read_text()[:-40])
    with pytest.raises(MetricsFileError, match=r"line \d+, column \d+: .*damaged or cut short"):
        load_metrics(path)
    path.write_text('{"schema_version": 1, "samples": {"time": [NaN], "monotonic": [1]}}')
    with pytest.raises(MetricsFileError, match="NaN is not JSON"):
        load_metrics(path)


def test_json_lines_cut_in_the_last_line_load_without_it_and_say_so(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    save_metrics(path, a_document())
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:4]) + lines[4][:17])
    loaded = load_metrics(path)
    assert loaded.samples["time"] == [EPOCH, EPOCH + 1, EPOCH + 2]
    assert len(loaded.warnings) == 1
    assert "line 5" in loaded.warnings[0]


def test_json_lines_damaged_before_the_last_line_are_an_error_with_the_line(
    tmp_path: Path,
) -> None:
    path = tmp_path / "m.jsonl"
    save_metrics(path, a_document())
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], lines[2][:9] + b"\n", *lines[3:]]))
    with pytest.raises(MetricsFileError, match="line 3"):
        load_metrics(path)
    path.write_bytes(b"".join([*lines[:2], b'{"time": 1}\n', *lines[3:]]))
    with pytest.raises(MetricsFileError, match="line 3: neither a sample"):
        load_metrics(path)


def test_csv_faults_are_told_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    for text, told in (
        ("1,2\n3,4\n", "line 1: '1' cannot name a column"),
        ("time,monotonic\n1,2\n3\n", "line 3: 1 values for 2 columns"),
        ("time,monotonic\n1,x\n", "line 2, 'monotonic': 'x' is not a number"),
        ("time,monotonic\n1,nan\n", "line 2, 'monotonic': 'nan' is not a finite number"),
        ("time,watts\n1,2\n", "no column 'monotonic'"),
    ):
        path.write_text(text)
        with pytest.raises(MetricsFileError, match=re.escape(told)):
            load_metrics(path)


def test_csv_saved_by_a_spreadsheet_is_read(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_bytes(b"\xef\xbb\xbftime,monotonic,cpu_percent\r\n1,2,\r\n3,4,5\r\n")
    assert load_metrics(path).samples["cpu_percent"] == [None, 5.0]


def test_a_database_without_our_tables_is_told(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE samples (a)")
    with pytest.raises(MetricsFileError, match="no table events, meta"):
        load_metrics(path)


def test_a_database_with_a_damaged_column_name_is_told(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    save_metrics(path, a_document())
    path.write_bytes(path.read_bytes().replace(b"memory_used_mb", b"memory\xff\xfeed_mb"))
    with pytest.raises(MetricsFileError, match="the database cannot be read"):
        load_metrics(path)


def test_a_sqlite_path_with_odd_letters_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "a b?c%20#d"
    folder.mkdir()
    save_metrics(folder / "m.sqlite", a_document())
    assert len(load_metrics(folder / "m.sqlite")) == 5
    shutil.rmtree(folder)
