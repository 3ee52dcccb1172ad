"""The demonstration's command line: `amptalk demo` and `examples/resource_management_demo.py`.

Without `--simulate-load` it watches this process under the limits given; with it,
real load runs twice, first only watched, then handled, and the two are compared.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from amptalk.demo.arms import ArmResult, run_arm, watch
from amptalk.demo.show import Screen, comparison
from amptalk.limits.limits import ResourceLimits
from amptalk.manager import ResourceManager
from amptalk.model.errors import AmptalkError

LOAD_LIMIT_MB = 240.0
"""Memory limit of the simulated load when none is given, on machines that have room for it."""
LOAD_CPU_PERCENT = 60.0
ROOM = 4.0
"""The load without handling takes up to about twice its limit: keep this many times available."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the demonstration's flags to a parser."""
    add = parser.add_argument
    add("--simulate-load", action="store_true", help="run real load, with and without handling")
    add("--strategy", default="adaptive", help="dynamic, predictive, adaptive, cooperative, or a+b")
    add("--duration", type=float, default=None, metavar="S",
        help="seconds in all (default 24 under load, else 10)")  # fmt: skip
    add("--max-memory-mb", type=float, metavar="MB")
    add("--max-cpu-percent", type=float, metavar="PERCENT")
    add("--max-gpu-percent", type=float, metavar="PERCENT")
    add("--max-gpu-memory-mb", type=float, metavar="MB")
    add("--max-power-watts", type=float, metavar="W")
    add("--max-temp-celsius", type=float, metavar="C")
    add("--interval", type=float, default=0.5, metavar="S", help="seconds between samples")
    add("--scope", default="application", help="application, container or device")
    add("--handling", default="degrade", help="observe, degrade or enforce")
    add("--seed", type=int, default=1, help="same seed, same schedule of bursts")
    add("--output", type=Path, default=Path("demo_metrics.json"), metavar="FILE",
        help="where the metrics go: .json, .jsonl, .csv or .sqlite")  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Run the demonstration; returns the exit status."""
    try:
        if options.duration is not None and not options.duration > 0:
            raise SystemExit(f"--duration {options.duration} is not above 0: give seconds")
        if options.simulate_load:
            manager = _under_load(options, Screen())
        else:
            manager = _watching(options, Screen())
        manager.save_metrics(options.output)
    except AmptalkError as error:
        sys.stderr.write(f"amptalk: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    rows = len(manager.history)
    sys.stdout.write(f"\n{rows} samples and the events are in {options.output}\n")
    return 0


def _manager(options: argparse.Namespace, limits: ResourceLimits, handling: str) -> ResourceManager:
    return ResourceManager(
        limits,
        strategy=options.strategy,
        monitoring_interval=options.interval,
        scope=options.scope,
        handling=handling,
    )


def _limits(options: argparse.Namespace) -> ResourceLimits:
    return ResourceLimits(
        max_memory_mb=options.max_memory_mb,
        max_cpu_percent=options.max_cpu_percent,
        max_gpu_percent=options.max_gpu_percent,
        max_gpu_memory_mb=options.max_gpu_memory_mb,
        max_power_watts=options.max_power_watts,
        max_temp_celsius=options.max_temp_celsius,
    )


def _watching(options: argparse.Namespace, screen: Screen) -> ResourceManager:
    manager = _manager(options, _limits(options), options.handling)
    seconds = options.duration or 10.0
    screen.arm(f"Watching this {options.scope} for {seconds:.0f} s, strategy {options.strategy}.")
    with manager:
        watch(manager, time.monotonic() + seconds, lambda: screen.show(manager))
    return manager


def _under_load(options: argparse.Namespace, screen: Screen) -> ResourceManager:
    probe = _manager(options, ResourceLimits(), "observe")
    available = probe.get_current_metrics().device.memory_available_mb
    cores = probe.capacity.cpu_cores
    if options.max_memory_mb is None:
        options.max_memory_mb = round(min(LOAD_LIMIT_MB, available / ROOM))
    elif options.max_memory_mb * ROOM / 2 > available:
        raise SystemExit(
            f"--max-memory-mb {options.max_memory_mb:.0f} is too much for a load that takes twice "
            f"as much: {available:.0f} MB are available; give {available / ROOM:.0f} or less"
        )
    if options.max_cpu_percent is None:
        options.max_cpu_percent = LOAD_CPU_PERCENT
    limits = _limits(options)
    seconds = (options.duration or 24.0) / 2
    screen.say(
        f"A model server with real load: limits {options.max_memory_mb:.0f} MB and "
        f"{options.max_cpu_percent:.0f} % of {cores:g} cores, strategy {options.strategy}, "
        f"2 × {seconds:.0f} s."
    )
    arms: list[ArmResult] = []
    for title, handling in (("only watched", "observe"), ("handled", options.handling)):
        manager = _manager(options, limits, handling)
        screen.arm(f"{title} ({handling}):")
        arms.append(
            run_arm(
                title, manager, options.max_memory_mb, cores, seconds, options.seed, screen.show
            )
        )
    screen.say(f"\n{comparison(*arms)}")
    return manager


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse `arguments` (the command line's by default) and run."""
    parser = argparse.ArgumentParser(
        prog="resource_management_demo",
        description="Watch a machine and hold its limits; with --simulate-load under real load.",
    )
    add_arguments(parser)
    return run(parser.parse_args(arguments))
