"""Bad arguments are refused with one clear error that names the value and what is allowed."""

from __future__ import annotations

from typing import Any

import pytest

from amptalk.config import ManagerConfig
from amptalk.model.errors import ConfigurationError


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"monitoring_interval": 0}, "0.05 to 3600"),
        ({"monitoring_interval": -1.0}, "monitoring_interval=-1.0"),
        ({"monitoring_interval": float("nan")}, "nan"),
        ({"monitoring_interval": float("inf")}, "inf"),
        ({"monitoring_interval": "1"}, "'1' is not a number"),
        ({"monitoring_interval": True}, "True is not a number"),
        ({"scope": "aplication"}, "did you mean 'application'"),
        ({"scope": None}, "'container'"),
        ({"handling": "enforced"}, "did you mean 'enforce'"),
        ({"callback": 3}, "cannot be called"),
        ({"name": "  "}, "not a name"),
    ],
)
def test_a_bad_argument_is_named_with_its_value_and_a_remedy(
    arguments: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigurationError, match=says.replace("(", r"\(")):
        ManagerConfig(**arguments).checked()


def test_a_configuration_cannot_be_changed_afterwards() -> None:
    config = ManagerConfig(monitoring_interval=2).checked()
    with pytest.raises(AttributeError):
        config.monitoring_interval = 3  # type: ignore[misc]


def test_a_configuration_error_is_a_value_error_too() -> None:
    with pytest.raises(ValueError, match="scope"):
        ManagerConfig(scope="world").checked()
