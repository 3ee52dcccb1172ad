"""A coarser tier gives back what was put into it, whichever series come, pause and stay away."""

from __future__ import annotations

import threading

from hypothesis import given, settings
from hypothesis import strategies as st

from amptalk.history.buckets import MOST_COUNTED, Bucket, Buckets, Summary

KEPT = 70  # more than the tier begins with, so that it grows and then goes round

buckets = st.dictionaries(
    st.integers(0, 8),
    st.tuples(st.integers(0, 99), st.integers(1, MOST_COUNTED)),
    max_size=5,
)


def summary(found: dict[int, tuple[int, int]]) -> Summary:
    """Series by position, each with its low and its count; mean and high are 1 and 2 more."""
    positions = sorted(found)
    stats = [float(found[p][0] + more) for p in positions for more in range(3)]
    return Summary(positions, stats, [found[p][1] for p in positions])


@given(st.lists(st.tuples(st.sampled_from([1, 1, 1, 2, 40]), buckets), min_size=1, max_size=120))
@settings(max_examples=60, deadline=None)
def test_each_series_reads_as_it_was_put(
    closed: list[tuple[int, dict[int, tuple[int, int]]]],
) -> None:
    tier = Buckets(10, KEPT)
    number = 1000
    put = []
    for step, found in closed:
        number += step
        tier.close(number, float(number), summary(found))
        put.append((number, found))
    oldest = number - KEPT
    assert tier.oldest <= max(oldest + 1, put[0][0])
    for position in range(9):
        expected = [
            Bucket(at, float(low), low + 1.0, low + 2.0, count)
            for at, found in put
            if at > oldest
            for low, count in [found.get(position, (0, 0))]
            if count
        ]
        assert tier.read(position, oldest + 1) == expected


def test_a_series_that_appears_later_leaves_the_others_as_they_were() -> None:
    tier = Buckets(10, KEPT)
    tier.close(1, 10.0, summary({4: (40, 1), 7: (70, 2)}))
    tier.close(2, 20.0, summary({2: (20, 3), 4: (41, 1), 7: (71, 2)}))
    assert [bucket.low for bucket in tier.read(4, 0)] == [40.0, 41.0]
    assert [bucket.low for bucket in tier.read(7, 0)] == [70.0, 71.0]
    assert [bucket.number for bucket in tier.read(2, 0)] == [2]
    assert tier.read(3, 0) == []


def test_a_series_that_never_came_takes_nothing() -> None:
    few, many = Buckets(10, KEPT), Buckets(10, KEPT)
    few.close(1, 10.0, summary({0: (1, 1)}))
    many.close(1, 10.0, summary({0: (1, 1), 8: (1, 1)}))
    assert many.memory_bytes() - few.memory_bytes() == 14 * 64


def test_reading_goes_on_while_series_are_added() -> None:
    tier = Buckets(10, 4000)
    torn: list[Bucket] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            torn.extend(b for b in tier.read(5, 0) if (b.low, b.mean, b.high) != (5.0, 6.0, 7.0))

    thread = threading.Thread(target=read)
    thread.start()
    try:
        for number in range(1, 600):
            present = {5: (5, 1)} | {p: (p, 1) for p in range(number // 70) if p != 5}
            tier.close(number, 0.0, summary(present))
    finally:
        done.set()
        thread.join()
    assert not torn
    assert len(tier.read(5, 0)) == 599
