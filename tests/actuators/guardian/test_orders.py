"""What is said over the pipes comes out as it went in; anything else is refused."""

from __future__ import annotations

import pytest

from amptalk.actuators.guardian.orders import (
    Order,
    Told,
    Usage,
    Watched,
    order_line,
    order_of,
    told_line,
    told_of,
)

ORDER = Order(100, 200, Usage("/a", "/b", ("c", "d")), (Watched(7, 1000, -1, True),))
TOLD = Told(1.5, 2.5, 300.0, 100.0, True, "what\nwas done")


def test_both_ways_are_one_line_each() -> None:
    for line in (order_line(ORDER), told_line(TOLD)):
        assert line.count(b"\n") == 1
        assert line.endswith(b"\n")
    assert order_of(order_line(ORDER)) == ORDER
    assert told_of(told_line(TOLD)) == TOLD


@pytest.mark.parametrize("line", [b"", b"{}", b"[1]", b"[1,2,3,4]", b"null", b'["a",1,[],[]]'])
def test_anything_else_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        order_of(line)
    with pytest.raises(ValueError, match=r"."):
        told_of(line)
