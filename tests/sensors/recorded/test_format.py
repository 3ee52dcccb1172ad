"""Frames survive writing and reading; what comes from strangers is checked."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.sensors.recorded.format import (
    FRAMES,
    About,
    Failed,
    Frame,
    RecordingError,
    Writer,
    decode,
    encode,
    read_about,
    read_frames,
)

ABOUT = About(
    "a device", "aarch64", "6.6", 1_790_000_000.0, 1.0, 4096, 42, left_out={"sys/x": "why"}
)

names = st.text("abcXYZ019_:.-#", min_size=1, max_size=8).filter(lambda one: one not in {".", ".."})
paths = st.builds(
    lambda top, rest: "/".join((top, *rest)),
    st.sampled_from(["proc", "sys"]), st.lists(names, min_size=1, max_size=4),
)  # fmt: skip
contents = st.one_of(
    st.binary(max_size=200),
    st.none(),
    st.sampled_from(sorted(errno.errorcode.values())).map(Failed),
)
frames = st.builds(
    Frame,
    st.floats(0, 1e6, allow_nan=False),
    st.dictionaries(paths, contents, max_size=6),
    st.dictionaries(paths, st.one_of(st.none(), names), max_size=4),
    st.lists(paths, max_size=3).map(tuple),
)


@given(frames)
def test_a_frame_comes_back_as_it_was_whatever_bytes_files_hold(frame: Frame) -> None:
    line = encode(frame)
    assert "\n" not in line
    assert line.isascii()
    assert decode(line) == frame


@pytest.mark.parametrize(
    "line",
    [
        "", "[]", "{}", "nonsense", '{"seconds":-1}', '{"seconds":NaN}', '{"seconds":1e999}',
        '{"seconds":0,"files":{"etc/passwd":"x"}}',
        '{"seconds":0,"files":{"/proc/stat":"x"}}',
        '{"seconds":0,"files":{"proc/../../etc/x":"x"}}',
        '{"seconds":0,"files":{"proc":"x"}}',
        '{"seconds":0,"files":{"proc/x":{"errno":"EVERYTHING"}}}',
        '{"seconds":0,"files":{"proc/x":7}}',
        '{"seconds":0,"links":{"sys/x":"/etc"}}',
        '{"seconds":0,"links":{"sys/x":"../../etc"}}',
        '{"seconds":0,"links":{"proc/1/fd/2":"/dev/sda"}}',
        '{"seconds":0,"folders":["sys/../.."]}',
    ],
)  # fmt: skip
def test_what_is_no_frame_or_leads_out_of_the_tree_is_refused(line: str) -> None:
    with pytest.raises(RecordingError):
        decode(line)


def test_a_file_larger_than_allowed_is_refused() -> None:
    with pytest.raises(RecordingError, match="65537 bytes"):
        decode(json.dumps({"seconds": 0, "files": {"proc/x": "y" * 65537}}))


def write(folder: Path, *seconds: float) -> Path:
    writer = Writer(str(folder), ABOUT)
    for second in seconds:
        assert writer.add(Frame(second, {"proc/x": b"%d" % second}))
    writer.close()
    return folder


def test_a_recording_says_what_it_is_and_holds_its_frames(tmp_path: Path) -> None:
    folder = str(write(tmp_path / "new", 0.0, 1.5))
    assert read_about(folder) == ABOUT
    assert [(f.seconds, f.files) for f in read_frames(folder)] == [
        (0.0, {"proc/x": b"0"}),
        (1.5, {"proc/x": b"1"}),
    ]


def test_a_last_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    folder = write(tmp_path / "new", 0.0, 1.0)
    whole = (folder / FRAMES).read_text()
    (folder / FRAMES).write_text(whole[:-9])
    assert [frame.seconds for frame in read_frames(str(folder))] == [0.0]


def test_frames_that_go_back_in_time_are_refused(tmp_path: Path) -> None:
    folder = str(write(tmp_path / "new", 5.0, 1.0))
    with pytest.raises(RecordingError, match="too late"):
        list(read_frames(folder))


def test_nothing_that_is_there_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(RecordingError, match="not empty"):
        Writer(str(tmp_path), ABOUT)
    assert (tmp_path / "mine").read_text() == "precious"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": "other"}, "amptalk record"),
        ({"version": 2}, "version 2"),
        ({"interval": 0}, "above 0"),
        ({"page_size": "many"}, "above 0"),
        ({"device": 7}, "must be text"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_description_that_cannot_be_meant_is_refused(
    tmp_path: Path, change: dict[str, object], said: str
) -> None:
    folder = write(tmp_path / "new", 0.0)
    about = json.loads((folder / "recording.json").read_text())
    (folder / "recording.json").write_text(json.dumps({**about, **change}))
    with pytest.raises(RecordingError, match=said):
        read_about(str(folder))


def test_a_folder_that_is_no_recording_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"recording\.json cannot be read"):
        read_about(str(tmp_path))
