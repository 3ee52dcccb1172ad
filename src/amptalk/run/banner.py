"""What is said before the program begins: a line a limit, what holds it or why nothing does.

Pure. ENFORCED names what holds the limit and what was read back; ASKED means that the program is
asked to use less and can listen; WATCH ONLY that it is measured and told; NOT SEEN that it
cannot even be measured. Nothing is dropped silently.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from amptalk.model.resource import Resource
from amptalk.run.holding import Holding

ENFORCED, ASKED, WATCH_ONLY, NOT_SEEN = "ENFORCED", "ASKED", "WATCH ONLY", "NOT SEEN"
_SHOWN = {"cpu": "CPU", "gpu": "GPU", "gpu_memory": "GPU memory", "wall_time": "wall time"}
_ON_BREACH = {"stop": "ended", "restart": "started anew"}


class Line(NamedTuple):
    """One limit and what becomes of it."""

    resource: str
    limit: str
    """For people: `1500 MB`."""
    state: str
    by: str

    @property
    def text(self) -> str:
        """The whole line."""
        return f"{_SHOWN.get(self.resource, self.resource)} {self.limit}: {self.state} {self.by}"


def limit_text(resource: Resource, limit: float, cores: float) -> str:
    """A limit for people; of CPU in percent, cores and as systemd says it."""
    if resource.name != "cpu":
        return f"{limit:g} {resource.unit}"
    allowed = cores * limit / 100.0
    return f"{limit:.4g} % = {allowed:.3g} of {cores:.3g} cores = CPUQuota={allowed * 100:.4g}%"


def lines_of(
    holding: Holding,
    budgets: Mapping[Resource, float],
    *,
    channels: Callable[[str], str],
    on_breach: str,
    missing: Mapping[str, str],
) -> list[Line]:
    """Make a line for each limit.

    `channels` says how the program is asked, `missing` gives fields without a value their reason.
    """
    after = _ON_BREACH.get(on_breach, "")
    lines = []
    for resource, limit in holding.limits:
        state, by = _held(holding, resource)
        if not state:
            reason = missing.get(resource.field)
            if reason is not None:
                state, by = NOT_SEEN, f"({reason})"
            else:
                state, by = ASKED, f"by {channels(resource.name)}; {_why_not(holding, resource)}"
        if state == ASKED and after:
            by += f"; exceeded all the same, the program is {after}"
        lines.append(Line(resource.name, limit_text(resource, limit, holding.cores.amount),
                          state, by))  # fmt: skip
    for resource, limit in budgets.items():
        lines.append(_budget(resource, limit, after, channels, missing.get(resource.name)))
    return lines


def _held(holding: Holding, resource: Resource) -> tuple[str, str]:
    name = resource.name
    if holding.held(name):
        standing = holding.memory if name == "memory" else holding.quota
        return ENFORCED, f"by {standing.where} (read back)"
    if name != "cpu":
        return "", ""
    if holding.paced:
        return ENFORCED, f"by stopping and continuing it (--pace); {holding.why['cpu']}"
    if holding.narrowed is not None and abs(holding.narrowed - holding.allowed_cores) < 1e-6:
        return ENFORCED, (
            f"by affinity to {_cores(holding.narrowed)} (read back), as long as the program does "
            f"not change it; not by the kernel's quota: {holding.why['cpu']}"
        )
    return "", ""


def _why_not(holding: Holding, resource: Resource) -> str:
    name = resource.name
    if name in holding.why:
        more = ""
        if name == "cpu":
            more = "; --pace would hold it by stopping and continuing the program"
            if holding.narrowed is not None:
                more = f"; affinity leaves it {_cores(holding.narrowed)} at most{more}"
        return f"not enforced: {holding.why[name]}{more}"
    if name in holding.follows:
        return "it also gets less CPU time, by the kernel's quota, while that is exceeded"
    if name in {"power", "temperature"}:
        return f"not enforced: less CPU time would hold it, but {holding.why.get('cpu')}"
    return "not enforced: no lever here acts on the GPU of one program"


def _budget(
    resource: Resource,
    limit: float,
    after: str,
    channels: Callable[[str], str],
    missing: str | None,
) -> Line:
    shown = f"{limit:g} {resource.unit}"
    if missing is not None:
        return Line(resource.name, shown, NOT_SEEN, f"({missing})")
    if after == "ended":
        return Line(resource.name, shown, ENFORCED, "by ending the program: SIGTERM, and SIGKILL "
                    "10 s later")  # fmt: skip
    how = f"by {channels(resource.name)}" if resource.name == "energy" else ""
    what = (
        f"when it is used up, the program is {after}" if after else "--on-breach stop would end it"
    )
    state = ASKED if how else WATCH_ONLY
    return Line(resource.name, shown, state, f"{how}; {what}" if how else f"({what})")


def _cores(count: int) -> str:
    return "1 core" if count == 1 else f"{count} cores"
