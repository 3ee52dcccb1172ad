"""From what a plant calls its resource to the resource that limits, history and strategies know."""

from __future__ import annotations

from amptalk.actuators.amounts import RESOURCES
from amptalk.model.errors import ConfigurationError
from amptalk.model.resource import BUILT_IN, Resource
from amptalk.model.sample import INDEX

_BY_NAME = {
    **{argument: BUILT_IN[name] for argument, name in RESOURCES.items()},
    **{resource.field: resource for resource in BUILT_IN.values()},
    **BUILT_IN,
}
_FREE_COLUMNS = ("device.load_1m", "device.load_5m", "device.load_15m")
"""Fields of a sample that no resource is measured by: they carry values that have none."""


def resources_of(names: tuple[object, ...]) -> tuple[Resource, ...]:
    """Return the resource for each name, all with a field of a sample of their own.

    Known are the six built-in resources by name ("power"), field ("power_watts") or argument
    ("memory_mb"). Any other name is a rate of the application, with what follows its last
    underscore as its unit. Raises `ConfigurationError` for what is no name, two for one
    resource, and more than three names that are not built in.
    """
    free = list(_FREE_COLUMNS)
    found: dict[str, Resource] = {}
    for name in names:
        resource = _resource(name)
        if resource.name in found:
            raise ConfigurationError(
                f"resource={name!r} of the plant is {resource.name!r} a second time: name each once"
            )
        if resource.field not in INDEX:
            if not free:
                raise ConfigurationError(
                    f"resource={name!r} is one too many: a plant may have {len(_FREE_COLUMNS)} "
                    "resources that are not built in"
                )
            resource = resource._replace(field=free.pop(0))
        found[resource.name] = resource
    return tuple(found.values())


def resource_name(name: str) -> str:
    """The name of the resource that a plant may also call by its field."""
    known = _BY_NAME.get(name)
    return name if known is None else known.name


def _resource(name: object) -> Resource:
    if isinstance(name, Resource):
        return name
    if not isinstance(name, str) or not name.strip():
        raise ConfigurationError(
            f"resource={name!r} of the plant is no name: give one such as 'power_watts' or "
            "'latency_ms', or a tuple of names"
        )
    known = _BY_NAME.get(name)
    if known is not None:
        return known
    unit = name.rpartition("_")[2] if "_" in name else ""
    return Resource(name, unit, "rate", name, device_wide=False)
