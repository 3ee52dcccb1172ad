"""Generated traces: shapes of load that recordings of an afternoon do not have, fixed by seed.

They say what a method does with a known shape; they say nothing of how often it occurs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from benchmarks.forecasting.protocol import Array
from benchmarks.forecasting.traces import DAY, Trace

_MINUTE = 60.0


def all_traces() -> list[Trace]:
    """One trace of each shape; always the same."""
    made = []
    for seed, (name, unit, step, samples, shape) in enumerate(_SHAPES):
        seconds: Array = np.arange(samples) * np.float64(step)
        values = shape(np.random.default_rng(seed), seconds)
        made.append(Trace(f"gen_{name}", unit, seconds, values, generated=True))
    return made


def noise(random: np.random.Generator, samples: int, memory: float) -> Array:
    """First-order autoregressive noise of deviation 1 (white with `memory` 0)."""
    values = np.empty(samples)
    drive = random.normal(0.0, np.sqrt(1.0 - memory**2), samples)
    value = random.normal()
    for i in range(samples):
        value = memory * value + drive[i]
        values[i] = value
    return values


def _daily(random: np.random.Generator, seconds: Array) -> Array:
    """Load of a service: a daily curve, a job at its own minute of each hour, and noise.

    The jobs are the same every day; the curve is a little higher or lower from day to day.
    """
    phase = 2.0 * np.pi * seconds / DAY
    a_day = round(DAY / (seconds[1] - seconds[0]))
    days = len(seconds) // a_day + 1
    size = np.repeat(random.uniform(0.85, 1.15, days), a_day)[: len(seconds)]
    curve = 1.0 - np.cos(phase) + 0.4 * np.cos(2.0 * phase + 1.0)
    jobs = np.zeros(a_day)
    for hour in range(24):
        begin = hour * a_day // 24 + int(random.integers(0, 45))
        jobs[begin : begin + int(random.integers(5, 15))] = random.uniform(5.0, 30.0)
    load = 8.0 + 12.0 * curve * size + np.tile(jobs, days)[: len(seconds)]
    values: Array = np.maximum(0.0, load + 1.5 * noise(random, len(seconds), 0.9))
    return values


def _batch_jobs(random: np.random.Generator, seconds: Array) -> Array:
    """Quiet, with a job at about the same minutes of each hour and another each night."""
    hour, day = seconds % 3600.0, seconds % DAY
    begin = 1500.0 + np.repeat(random.normal(0.0, 60.0, len(seconds) // 60 + 1), 60)[: len(seconds)]
    hourly = np.where((hour > begin) & (hour < begin + 480.0), 35.0, 0.0)
    nightly = np.where((day > 7200.0) & (day < 10_800.0), 40.0, 0.0)
    return 10.0 + hourly + nightly + 2.0 * noise(random, len(seconds), 0.7)


def _wandering(random: np.random.Generator, seconds: Array) -> Array:
    """Autoregressive noise at two speeds."""
    slow, fast = noise(random, len(seconds), 0.98), noise(random, len(seconds), 0.6)
    return 50.0 + 8.0 * slow + 4.0 * fast


def _bursts(random: np.random.Generator, seconds: Array) -> Array:
    """Inference on demand: bursts that come at random, last some seconds and end at once."""
    busy = np.zeros(len(seconds))
    at = 0
    while at < len(seconds):
        at += int(random.exponential(40.0)) + 1
        length = int(random.gamma(3.0, 4.0)) + 1
        busy[at : at + length] = random.uniform(40.0, 90.0)
        at += length
    return np.clip(5.0 + busy + 3.0 * noise(random, len(seconds), 0.5), 0.0, 100.0)


def _steps(random: np.random.Generator, seconds: Array) -> Array:
    """Memory of a process that loads and drops models: plateaus, with little noise on them."""
    lengths = random.integers(20, 240, len(seconds) // 20)
    levels = np.repeat(random.uniform(300.0, 2500.0, len(lengths)), lengths)
    return levels[: len(seconds)] + 2.0 * noise(random, len(seconds), 0.8)


def _quantised(random: np.random.Generator, seconds: Array) -> Array:
    """A coarse power meter: few values, long runs of the same."""
    return 12.0 + 0.5 * np.round(3.0 * noise(random, len(seconds), 0.97))


def _spiky(random: np.random.Generator, seconds: Array) -> Array:
    """Latency: flat, with single spikes that nothing announces."""
    spikes = np.where(random.random(len(seconds)) < 0.02, random.pareto(2.0, len(seconds)), 0.0)
    return 20.0 + 60.0 * np.minimum(spikes, 20.0) + 0.8 * noise(random, len(seconds), 0.3)


def _leak(random: np.random.Generator, seconds: Array) -> Array:
    """Resident memory of a leaking worker: growth, a sawtooth of collections, restarts."""
    age = seconds % 1500.0
    sawtooth = 25.0 * ((seconds % 45.0) / 45.0)
    return 220.0 + 0.35 * age + sawtooth + 1.5 * noise(random, len(seconds), 0.5)


def _thermal(random: np.random.Generator, seconds: Array) -> Array:
    """Temperature that follows load by a first-order lag of 90 s, read in steps of 0.5 degrees."""
    power = np.repeat(random.choice((2.0, 4.0, 7.0), len(seconds) // 150 + 1), 150)
    temperature = np.empty(len(seconds))
    now = 45.0
    for i in range(len(seconds)):
        now += (35.0 + 6.0 * power[i] - now) * (seconds[1] - seconds[0]) / 90.0
        temperature[i] = now
    return 0.5 * np.round(2.0 * (temperature + 0.15 * random.normal(size=len(seconds))))


_Shape: TypeAlias = Callable[[np.random.Generator, Array], Array]
_SHAPES: tuple[tuple[str, str, float, int, _Shape], ...] = (
    ("daily", "cpu_percent", _MINUTE, 11_520, _daily),
    ("batch_jobs", "cpu_percent", _MINUTE, 5000, _batch_jobs),
    ("wandering", "cpu_percent", 5.0 * _MINUTE, 4032, _wandering),
    ("bursts", "cpu_percent", 1.0, 5000, _bursts),
    ("steps", "memory_mb", 1.0, 5000, _steps),
    ("quantised", "watts", 1.0, 5000, _quantised),
    ("spiky", "milliseconds", 1.0, 5000, _spiky),
    ("leak", "memory_mb", 1.0, 5000, _leak),
    ("thermal", "celsius", 1.0, 5000, _thermal),
)
"""Name, unit, seconds a sample, samples, shape."""
