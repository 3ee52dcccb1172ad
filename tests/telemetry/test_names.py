"""One table of names: conventions where they exist, `amptalk.*` otherwise, base units only."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from amptalk.model.sample import INDEX
from amptalk.model.views import ScopeView
from amptalk.telemetry import names, observing

CONVENTIONS = "opentelemetry.semconv._incubating.metrics"
BY_NAME = {metric.name: metric for metric in names.METRICS}
CONVENTIONAL = sorted(name for name in BY_NAME if not name.startswith("amptalk."))
INSTRUMENT = {"gauge": "gauge", "up_down_counter": "updowncounter", "counter": "counter"}


@pytest.mark.parametrize("name", CONVENTIONAL)
def test_a_conventional_name_has_the_kind_and_unit_of_the_convention(name: str) -> None:
    group = name.split(".", 1)[0]
    module = import_module(f"{CONVENTIONS}.{group}_metrics")
    text = Path(module.__file__ or "").read_text(encoding="utf-8")
    stated = re.search(rf'"{re.escape(name)}"\n"""\n.*?Instrument: (\w+)\nUnit: (\S+)', text, re.S)
    assert stated, f"{name} is no convention: prefix it with amptalk."
    assert (INSTRUMENT[BY_NAME[name].kind], BY_NAME[name].unit) == stated.groups()


def test_the_schema_is_one_that_is_published() -> None:
    from opentelemetry.semconv.schemas import Schemas

    assert names.SCHEMA_URL in {schema.value for schema in Schemas}


def test_every_field_but_the_short_names_is_observed_once() -> None:
    observed = [metric.field for metric in names.METRICS]
    assert sorted(observed) == sorted(set(INDEX) - set(ScopeView._fields))


def test_series_of_one_instrument_agree_and_differ_in_their_attributes() -> None:
    for name in BY_NAME:
        series = [metric for metric in names.METRICS if metric.name == name]
        assert len({metric[:4] for metric in series}) == 1
        assert len({tuple(sorted(metric.attributes.items())) for metric in series}) == len(series)


def test_hardware_metrics_carry_the_identifier_that_the_convention_requires() -> None:
    for metric in names.METRICS:
        assert ("hw.id" in metric.attributes) == metric.name.startswith("hw.")


def test_units_are_base_units_and_not_part_of_the_name() -> None:
    for instrument in observing.instruments():
        assert instrument.unit in {"By", "By/s", "1", "s", "W", "Cel"} or re.fullmatch(
            r"\{\w+\}(/s)?", instrument.unit
        )
        assert not re.search(r"_(mb|bytes|percent|seconds|watts)\b", instrument.name)
        assert instrument.description.endswith(".")


def test_each_instrument_has_one_name() -> None:
    found = [instrument.name for instrument in observing.instruments()]
    assert len(found) == len(set(found))
