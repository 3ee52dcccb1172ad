"""A laid out recording is read by the sensors' own functions as the device was."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amptalk.sensors.files import KeptFile, SensorFault, exists, listing, read_once
from amptalk.sensors.recorded.format import Content, Failed, Frame, RecordingError
from amptalk.sensors.recorded.tree import Tree
from amptalk.sensors.report import Notes
from amptalk.sensors.roots import Roots
from amptalk.sensors.swapping import SwapSource

PAGE = os.sysconf("SC_PAGE_SIZE")
PATHS = ("sys/a/one", "sys/a/two", "proc/b/three")


@pytest.fixture
def tree() -> Iterator[Tree]:
    with Tree(PAGE) as made:
        yield made


def place(tree: Tree, path: str) -> str:
    return f"{tree.roots.sys[:-4]}/{path}"


def number_of(path: str) -> int:
    with pytest.raises(SensorFault) as caught:
        read_once(path)
    return caught.value.number


@pytest.mark.parametrize("name", ["EAGAIN", "EACCES", "EINVAL", "EOPNOTSUPP", "ENODEV"])
def test_a_read_that_failed_on_the_device_fails_with_the_same_error(tree: Tree, name: str) -> None:
    tree.apply(Frame(0.0, {"sys/a/temp": Failed(name)}))
    path = place(tree, "sys/a/temp")
    assert number_of(path) == getattr(errno, name)
    with pytest.raises(SensorFault) as caught:
        KeptFile(path).read()
    assert caught.value.number == getattr(errno, name)
    assert exists(path), "it is there and cannot be read"
    assert listing(place(tree, "sys/a")) == ["temp"]


def test_a_dangling_link_of_another_kind_does_not_exist(tree: Tree) -> None:
    for target in ("nowhere", "errno:", "errno:NONSENSE", "errno:errorcode"):
        tree.apply(Frame(0.0, {}, {"sys/link": target}))
        assert number_of(place(tree, "sys/link")) == errno.ENOENT


def test_a_descriptor_that_is_kept_sees_values_faults_and_the_end(tree: Tree) -> None:
    kept = KeptFile(place(tree, "sys/a/temp"))

    def said(content: Content) -> bytes | int:
        tree.apply(Frame(0.0, {"sys/a/temp": content}))
        try:
            return kept.read()
        except SensorFault as fault:
            return fault.number

    assert said(b"41000\n") == b"41000\n"
    assert said(b"9\n") == b"9\n"
    assert said(Failed("EAGAIN")) == errno.EAGAIN
    assert said(b"42000\n") == b"42000\n"
    assert said(None) == errno.ENOENT
    assert said(b"43000\n") == b"43000\n"
    kept.close()


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(PATHS),
            st.one_of(st.binary(min_size=1, max_size=9), st.none(), st.just(Failed("EIO"))),
        ),
        max_size=8,
    )
)
def test_after_any_frames_the_tree_shows_what_was_said_last(
    frames: list[dict[str, Content]],
) -> None:
    expected: dict[str, Content] = {}
    with Tree(PAGE) as tree:
        for files in frames:
            tree.apply(Frame(0.0, files))
            expected.update(files)
            for path in PATHS:
                said = expected.get(path)
                if isinstance(said, bytes):
                    assert read_once(place(tree, path)) == said
                else:
                    wanted = errno.ENOENT if said is None else errno.EIO
                    assert number_of(place(tree, path)) == wanted


def test_links_lead_within_the_tree_and_may_change_and_go(tree: Tree) -> None:
    files: dict[str, Content] = {"sys/devices/a/name": b"a", "sys/devices/b/name": b"b"}
    tree.apply(Frame(0.0, files, {"sys/class/x": "../devices/a"}))
    assert read_once(place(tree, "sys/class/x/name")) == b"a"
    tree.apply(Frame(1.0, {}, {"sys/class/x": "../devices/b"}))
    assert read_once(place(tree, "sys/class/x/name")) == b"b"
    tree.apply(Frame(2.0, {}, {"sys/class/x": None}))
    assert not exists(place(tree, "sys/class/x"))


def test_nothing_is_written_through_a_link(tree: Tree) -> None:
    tree.apply(Frame(0.0, {"sys/real/x": b"1"}, {"sys/link": "real"}))
    with pytest.raises(RecordingError, match="goes through the link"):
        tree.apply(Frame(1.0, {"sys/link/x": b"2"}))
    with pytest.raises(RecordingError):
        tree.apply(Frame(1.0, {"sys/link": b"2"}))
    assert read_once(place(tree, "sys/real/x")) == b"1"


def test_pages_of_another_size_are_converted() -> None:
    vmstat = b"nr_free_pages 8\nworkingset_refault_anon 1\nworkingset_refault_file 1\n"
    vmstat += b"pgmajfault 9\n"
    with Tree(4 * PAGE) as tree:
        tree.apply(Frame(0.0, {
            "proc/vmstat": vmstat + b"pswpin 10\npswpout 0\n", "proc/7/statm": b"3 2 1 0 0 0 0\n",
        }))  # fmt: skip
        assert read_once(place(tree, "proc/7/statm")).split()[:3] == [b"12", b"8", b"4"]
        source = SwapSource(Roots(tree.roots.proc, tree.roots.sys), Notes({}))
        source.renew(0.0)
        tree.apply(Frame(1.0, {"proc/vmstat": vmstat + b"pswpin 20\npswpout 0\n"}))
        source.renew(1.0)
        assert source.rates[0] == pytest.approx(10 * 4 * PAGE / 2**20)
        source.close()


def test_the_tree_is_gone_afterwards() -> None:
    with Tree(PAGE) as tree:
        root = os.path.dirname(tree.roots.sys)
        assert os.path.isdir(root)
        assert tree.without_root(f"{root}/sys/x failed") == "/sys/x failed"
    assert not os.path.exists(root)
