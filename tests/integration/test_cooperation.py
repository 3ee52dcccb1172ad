"""Components of one application share the limit on its real memory; strategies combine."""

from __future__ import annotations

import threading

from amptalk import NeverFitsError, ResourceManager, create_resource_manager
from amptalk.sharing.pressure import Request
from tests.helpers import DEADLINE, eventually
from tests.integration.support import ballast, own_process, ticks, used_mb

LIMIT = 600.0


def cooperative_manager(strategy: str = "cooperative") -> ResourceManager:
    manager = create_resource_manager(
        max_memory_mb=LIMIT, strategy=strategy, monitoring_interval=0.05
    )
    manager.knob("batch", minimum=1, maximum=8)
    return manager


def granted(manager: ResourceManager) -> dict[str, float]:
    return {share.component: share.granted for share in manager.shares()}


def reason(manager: ResourceManager) -> str:
    decision = manager.decision
    assert decision is not None
    assert decision.strategy == "cooperative"
    return decision.allocations[0].reason


@own_process
def test_what_one_does_not_want_is_lent_and_given_back_when_it_is_wanted() -> None:
    models = {"asr": [ballast(10)], "llm": [ballast(140)]}

    def drop(who: str) -> None:
        models[who].clear()

    with cooperative_manager() as manager:
        asr = manager.component("asr", memory_mb=(50, 500), on_shrink=lambda _: drop("asr"))
        llm = manager.component(
            "llm", memory_mb=(50, 500), weight=2, on_shrink=lambda _: drop("llm")
        )
        eventually(lambda: granted(manager) == {"asr": 200, "llm": 400}, "divided by weight")
        llm.demand(memory_mb=150)
        eventually(lambda: granted(manager) == {"asr": 450, "llm": 150}, "what is idle is lent")
        models["asr"].append(ballast(140))
        ticks(manager, 2)
        llm.demand(memory_mb=500)
        eventually(lambda: granted(manager) == {"asr": 200, "llm": 400}, "and given back")
        assert (asr.grant("memory"), llm.grant("memory")) == (200, 400)
        [share] = [share for share in manager.shares() if share.component == "llm"]
        assert share[:8] == ("llm", "memory", "MB", 50, 500, 2, 0, 500)
        assert (share.charged, share.note) == (400, "")
        eventually(
            lambda: "600 MB of memory divided: asr 200, llm 400" in reason(manager), "it is said"
        )
        llm.release()
        eventually(lambda: granted(manager) == {"asr": 500}, "who leaves makes room")


@own_process
def test_one_grows_only_when_the_other_was_measured_to_have_shrunk() -> None:
    model = [ballast(280)]
    called: list[tuple[str, str, float, int]] = []
    threads: set[str] = set()
    go = threading.Event()

    def note(who: str, request: Request) -> None:
        threads.add(threading.current_thread().name)
        called.append((who, request.resource, request.target, len(model)))

    def shrink(request: Request) -> None:
        note("llm shrinks", request)
        go.wait(DEADLINE)
        model.clear()

    with cooperative_manager() as manager:
        manager.component("asr", memory_mb=(50, 500), on_grow=lambda told: note("asr grows", told))
        llm = manager.component("llm", memory_mb=(50, 500), on_shrink=shrink)
        eventually(lambda: granted(manager) == {"asr": 300, "llm": 300}, "fair halves")
        llm.demand(memory_mb=100)
        eventually(lambda: bool([c for c in called if c[0] == "llm shrinks"]), "llm is told")
        ticks(manager, 5)  # while the callback takes its time, the ticks go on
        now = {share.component: share for share in manager.shares()}
        assert (now["llm"].granted, now["llm"].charged) == (100, 300)
        assert "has not come back" in now["llm"].note
        assert now["asr"].granted == 300
        go.set()
        eventually(lambda: granted(manager) == {"asr": 500, "llm": 100}, "asr has the rest")
        eventually(lambda: called[-1][0] == "asr grows", "and is told")
        eventually(lambda: manager.get_current_metrics().memory_used_mb < 200, "it was given back")
    assert called == [
        ("asr grows", "memory", 300, 1),
        ("llm shrinks", "memory", 100, 1),
        ("asr grows", "memory", 500, 0),
    ]
    assert threads == {"amptalk-action"}


@own_process
def test_one_that_only_says_it_shrank_is_not_believed_at_once() -> None:
    model = ballast(280)
    told = threading.Event()
    with cooperative_manager() as manager:
        manager.component("asr", memory_mb=(50, 500))
        llm = manager.component("llm", memory_mb=(50, 500), on_shrink=lambda _: told.set())
        eventually(lambda: granted(manager) == {"asr": 300, "llm": 300}, "fair halves")
        llm.demand(memory_mb=100)
        assert told.wait(DEADLINE)
        ticks(manager, 10)
        now = {share.component: share for share in manager.shares()}
        assert (now["llm"].granted, now["llm"].charged) == (100, 300)
        assert now["llm"].note == "waiting for the measured use to drop"
        assert now["asr"].granted == 300
    assert len(model) == 280 << 20


@own_process
def test_minimums_that_do_not_fit_are_refused_and_leave_the_others_alone() -> None:
    with cooperative_manager() as manager:
        manager.component("asr", memory_mb=(400, 400))
        try:
            manager.component("llm", memory_mb=(201, 300))
        except NeverFitsError as error:
            assert "400 of 600 are the minimums" in str(error)
        else:
            raise AssertionError("401 + 201 MB do not fit in 600")
        ticks(manager, 2)
        assert granted(manager) == {"asr": 400}
        manager.component("llm", memory_mb=(200, 300))
        eventually(lambda: granted(manager) == {"asr": 400, "llm": 200}, "what fits is taken")


@own_process
def test_prediction_and_cooperation_together_shrink_the_shares_for_announced_work() -> None:
    held = ballast(200)
    with cooperative_manager("predictive+cooperative") as manager:
        manager.component("asr", memory_mb=(50, 500))
        manager.component("llm", memory_mb=(50, 500))
        eventually(lambda: granted(manager) == {"asr": 300, "llm": 300}, "fair halves")
        manager.announce(memory_mb=500, starts_in=10, duration=60)
        eventually(lambda: sum(granted(manager).values()) < 400, "room is made in time", 10)
        decision = manager.decision
    assert decision is not None
    assert decision.strategy == "predictive+cooperative"
    [allocation] = decision.allocations
    assert allocation.share < 400 / 600
    assert "divided: asr" in allocation.reason
    assert "500 MB of memory set aside for known work" in allocation.reason
    assert len(held) == 200 << 20


@own_process
def test_combined_strategies_add_what_is_their_own() -> None:
    limit = 2 * used_mb()
    manager = create_resource_manager(
        max_memory_mb=limit, strategy=["dynamic", "adaptive", "predictive"],
        monitoring_interval=0.05,
    )  # fmt: skip
    knob = manager.knob("batch", minimum=1, maximum=100, resource="memory")
    with manager:
        ticks(manager, 2)
        assert knob.value == 100
        manager.announce(memory_mb=0.8 * limit, starts_in=10)  # one of the three looks ahead
        eventually(lambda: knob.value < 90, "the knob is moved")
        decision = manager.decision
        assert decision is not None
        assert decision.strategy == "dynamic+adaptive+predictive"
        assert "known work" in decision.allocations[0].reason
        assert decision.interval == 0.05  # which adaptive alone asks for
    assert manager.effectiveness()["strategy"] == "dynamic+adaptive+predictive"


@own_process
def test_combined_strategies_hold_a_limit_that_is_crossed() -> None:
    manager = create_resource_manager(
        max_memory_mb=used_mb() / 1.2, strategy=["dynamic", "adaptive"], monitoring_interval=0.05
    )
    knob = manager.knob("batch", minimum=1, maximum=100, resource="memory")
    with manager:
        eventually(lambda: knob.value < 90, "the knob is moved")
        assert manager.decision is not None
        assert manager.decision.strategy == "dynamic+adaptive"
