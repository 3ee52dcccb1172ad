"""The specification's import path, `from src.core.resource_management import ...`.

Re-exports `amptalk`, no logic. From a checkout that is not installed it first
makes the package beside it importable.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

if importlib.util.find_spec("amptalk") is None:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from amptalk import (
    ActionReport,
    AdmissionError,
    AdmissionTimeoutError,
    Allocation,
    AmptalkError,
    Announcement,
    ConfigurationError,
    Decision,
    Gpu,
    LedgerError,
    Level,
    LimitState,
    MetricsFileError,
    NestedAdmissionError,
    NeverFitsError,
    Observation,
    Pressure,
    Recommendation,
    Request,
    Resource,
    ResourceLimits,
    ResourceManager,
    Sample,
    ScopeError,
    Share,
    Signal,
    Strategy,
    Verdict,
    Violation,
    create_resource_manager,
    load_metrics,
)

__all__ = [
    "ActionReport",
    "AdmissionError",
    "AdmissionTimeoutError",
    "Allocation",
    "AmptalkError",
    "Announcement",
    "ConfigurationError",
    "Decision",
    "Gpu",
    "LedgerError",
    "Level",
    "LimitState",
    "MetricsFileError",
    "NestedAdmissionError",
    "NeverFitsError",
    "Observation",
    "Pressure",
    "Recommendation",
    "Request",
    "Resource",
    "ResourceLimits",
    "ResourceManager",
    "Sample",
    "ScopeError",
    "Share",
    "Signal",
    "Strategy",
    "Verdict",
    "Violation",
    "create_resource_manager",
    "load_metrics",
]
