"""AMPTALK resource management: keeps AI applications alive on edge devices.

The public names, loaded when they are first used. Everything else is internal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from amptalk.create import create_resource_manager as create_resource_manager
    from amptalk.history.files import load_metrics as load_metrics
    from amptalk.history.history import History as History
    from amptalk.limits.limits import ResourceLimits as ResourceLimits
    from amptalk.limits.recommendation import Recommendation as Recommendation
    from amptalk.manager import ResourceManager as ResourceManager
    from amptalk.model.action import ActionReport as ActionReport
    from amptalk.model.action import Verdict as Verdict
    from amptalk.model.announcement import Announcement as Announcement
    from amptalk.model.decision import Allocation as Allocation
    from amptalk.model.decision import Decision as Decision
    from amptalk.model.decision import Observation as Observation
    from amptalk.model.decision import Strategy as Strategy
    from amptalk.model.errors import AdmissionError as AdmissionError
    from amptalk.model.errors import AdmissionTimeoutError as AdmissionTimeoutError
    from amptalk.model.errors import AmptalkError as AmptalkError
    from amptalk.model.errors import ConfigurationError as ConfigurationError
    from amptalk.model.errors import LedgerError as LedgerError
    from amptalk.model.errors import MetricsFileError as MetricsFileError
    from amptalk.model.errors import NestedAdmissionError as NestedAdmissionError
    from amptalk.model.errors import NeverFitsError as NeverFitsError
    from amptalk.model.errors import ScopeError as ScopeError
    from amptalk.model.gpu import Gpu as Gpu
    from amptalk.model.level import Level as Level
    from amptalk.model.level import LimitState as LimitState
    from amptalk.model.level import Violation as Violation
    from amptalk.model.resource import Resource as Resource
    from amptalk.model.sample import Sample as Sample
    from amptalk.sensors.signals import Signal as Signal
    from amptalk.sharing.pressure import Pressure as Pressure
    from amptalk.sharing.pressure import Request as Request
    from amptalk.sharing.shares import Share as Share

_HOME = {
    "ActionReport": "model.action",
    "AdmissionError": "model.errors",
    "AdmissionTimeoutError": "model.errors",
    "Allocation": "model.decision",
    "AmptalkError": "model.errors",
    "Announcement": "model.announcement",
    "ConfigurationError": "model.errors",
    "Decision": "model.decision",
    "Gpu": "model.gpu",
    "History": "history.history",
    "LedgerError": "model.errors",
    "Level": "model.level",
    "LimitState": "model.level",
    "MetricsFileError": "model.errors",
    "NestedAdmissionError": "model.errors",
    "NeverFitsError": "model.errors",
    "Observation": "model.decision",
    "Pressure": "sharing.pressure",
    "Recommendation": "limits.recommendation",
    "Request": "sharing.pressure",
    "Resource": "model.resource",
    "ResourceLimits": "limits.limits",
    "ResourceManager": "manager",
    "Sample": "model.sample",
    "ScopeError": "model.errors",
    "Share": "sharing.shares",
    "Signal": "sensors.signals",
    "Strategy": "model.decision",
    "Verdict": "model.action",
    "Violation": "model.level",
    "create_resource_manager": "create",
    "load_metrics": "history.files",
}

__version__ = "0.1.0"
__all__ = ["__version__", *_HOME]  # noqa: PLE0604 - a literal would be a second copy of the table


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'amptalk' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"amptalk.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
