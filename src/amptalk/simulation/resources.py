"""From what a plant calls its resource to the resource that limits, history and strategies know."""

from __future__ import annotations

from amptalk.actuators.amounts import RESOURCES
from amptalk.model.errors import ConfigurationError
from amptalk.model.resource import BUILT_IN, Resource
from amptalk.model.sample import INDEX, Columns, Field, unit_of

_BY_NAME = {
    **{argument: BUILT_IN[name] for argument, name in RESOURCES.items()},
    **{resource.field: resource for resource in BUILT_IN.values()},
    **BUILT_IN,
}


def resources_of(names: tuple[object, ...]) -> tuple[Resource, ...]:
    """Return the resource for each name.

    Known are the six built-in resources by name ("power"), field ("power_watts") or argument
    ("memory_mb"). Any other name is a signal of the application, as `manager.signal(name)`
    makes one. Raises `ConfigurationError` for what is no name, and two for one resource.
    """
    found: dict[str, Resource] = {}
    for name in names:
        resource = _resource(name)
        if resource.name in found:
            raise ConfigurationError(
                f"resource={name!r} of the plant is {resource.name!r} a second time: name each once"
            )
        found[resource.name] = resource
    return tuple(found.values())


def columns_for(resources: tuple[Resource, ...]) -> Columns:
    """The columns of samples that measure these resources: those of a signal come last."""
    signals = [Field(one.field, one.unit) for one in resources if one.field not in INDEX]
    return Columns(tuple(signals))


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
    return known or Resource(name, unit_of(name), "rate", name, device_wide=False)
