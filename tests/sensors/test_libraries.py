"""Shared libraries of this process, as the kernel lists them."""

from __future__ import annotations

import _ctypes
from pathlib import Path

import pytest

from amptalk.sensors.files import SensorFault
from amptalk.sensors.libraries import loaded_libraries
from amptalk.sensors.roots import Roots

MAPS = """\
00400000-00401000 r-xp 00000000 00:00 1          /usr/bin/python3.11
7f00-7f01 r--p 00000000 00:00 2                  /opt/a b/torch.libs/libgomp-a34b3233.so.1
7f01-7f02 r-xp 00001000 00:00 2                  /opt/a b/torch.libs/libgomp-a34b3233.so.1
7f03-7f04 r-xp 00000000 00:00 3                  /usr/lib/libc.so.6 (deleted)
7f05-7f06 rw-p 00000000 00:00 0                  [heap]
"""


def test_each_is_named_once_also_one_that_was_replaced(tmp_path: Path) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self/maps").write_text(MAPS)
    assert loaded_libraries(Roots(str(tmp_path))) == {"libgomp-a34b3233.so.1", "libc.so.6"}


def test_without_a_list_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(SensorFault, match="maps"):
        loaded_libraries(Roots(str(tmp_path)))


def test_those_of_this_process_are_among_them() -> None:
    assert Path(_ctypes.__file__).name in loaded_libraries(Roots())
