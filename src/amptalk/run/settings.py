"""What a run can be told, by which name, and from where: flags, environment, a TOML file.

One table names every setting. A flag (`--max-memory-mb`), a variable (`AMPTALK_MAX_MEMORY_MB`)
and a key in the file's table `[run]` (`max_memory_mb`) are the same setting; a flag wins over the
environment, which wins over the file. Two names for one limit may both be given only where they
say the same. What the settings make together is checked in `options`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple

from amptalk.model.errors import ConfigurationError
from amptalk.run import amounts
from amptalk.run.amounts import Amount

PREFIX = "AMPTALK_"
CONFIG = "AMPTALK_CONFIG"
"""Environment variable that names the file; `--config` wins over it."""
TABLE = "run"


class Setting(NamedTuple):
    """One setting."""

    name: str
    takes: str
    """What it takes, for the help; empty for a switch."""
    text: str
    limits: str = ""
    """The resource that it limits, empty for none."""
    parse: Callable[[str], Amount] | None = None
    allowed: tuple[str, ...] = ()

    @property
    def flag(self) -> str:
        """Its name on the command line."""
        return "--" + self.name.replace("_", "-")


def _limit(
    name: str, takes: str, limits: str, parse: Callable[[str], Amount], text: str
) -> Setting:
    return Setting(name, takes, text, limits, parse)


SETTINGS: tuple[Setting, ...] = (
    _limit("memory", "SIZE", "memory", amounts.size, "memory of the program and all it starts"),
    _limit("cpus", "CORES|%", "cpu", amounts.cpus, "CPU time: cores, or % of what can be used"),
    _limit("gpu_memory", "SIZE", "gpu_memory", amounts.size, "GPU memory of the program"),
    _limit("power", "WATTS", "power", amounts.power, "power of the device"),
    _limit("temp", "CELSIUS", "temperature", amounts.degrees, "temperature of the device"),
    _limit("wall_time", "TIME", "wall_time", amounts.duration, "how long it may run: 90s, 1h30m"),
    _limit("energy", "ENERGY", "energy", amounts.energy, "energy of the device meanwhile: 5Wh"),
    _limit("max_memory_mb", "MB", "memory", partial(amounts.plain, "MB"), "as --memory"),
    _limit("max_cpu_percent", "PERCENT", "cpu", partial(amounts.plain, "%"), "as --cpus"),
    _limit("max_gpu_percent", "PERCENT", "gpu", partial(amounts.plain, "%"), "how busy the GPU is"),
    _limit("max_gpu_memory_mb", "MB", "gpu_memory", partial(amounts.plain, "MB"),
           "as --gpu-memory"),
    _limit("max_power_watts", "W", "power", partial(amounts.plain, "W"), "as --power"),
    _limit("max_temp_celsius", "C", "temperature", partial(amounts.plain, "°C"), "as --temp"),
    Setting("strategy", "S", "how allocations are decided (default: dynamic)"),
    Setting("on_breach", "WHAT", "if a limit is exceeded all the same (default: warn)",
            allowed=("warn", "stop", "restart")),
    Setting("pace", "", "hold CPU by stopping and continuing it where nothing else can"),
    Setting("ask_signal", "SIGNAL", "also send this when the program is asked to use less"),
    Setting("protect", "NAMES", "what the kernel is to kill last, by process name: sshd,nginx"),
    Setting("metrics", "FILE", "write history at the end: .json, .jsonl, .csv, .sqlite"),
    Setting("record", "FILE", "keep the newest samples in a file that survives a crash"),
    Setting("interval", "SECONDS", "time between samples (default: 1)"),
    Setting("json", "", "tell the summary as one JSON object"),
    Setting("quiet", "", "no banner and no summary; only what went wrong"),
)  # fmt: skip
BY_NAME: Mapping[str, Setting] = {setting.name: setting for setting in SETTINGS}
BY_FLAG: Mapping[str, Setting] = {setting.flag: setting for setting in SETTINGS}


class Given(NamedTuple):
    """A setting that was given, and how its user wrote it."""

    setting: Setting
    text: str
    written: str


def from_flags(flags: Iterable[tuple[str, str]]) -> list[Given]:
    """Settings of the command line, name and text of each; a switch is "yes"."""
    return [
        Given(BY_NAME[name], text, BY_NAME[name].flag if not BY_NAME[name].takes else
              f"{BY_NAME[name].flag} {text}")
        for name, text in flags
    ]  # fmt: skip


def from_environment(environment: Mapping[str, str]) -> list[Given]:
    """Settings of the environment; an empty variable is none."""
    found = []
    for setting in SETTINGS:
        variable = PREFIX + setting.name.upper()
        text = environment.get(variable, "")
        if text:
            found.append(Given(setting, text, f"{variable}={text}"))
    return found


def from_file(path: str) -> list[Given]:
    """Settings of a TOML file's table `[run]`. Raises `ConfigurationError`."""
    table = _loaded(path).get(TABLE)
    if not isinstance(table, dict):
        raise ConfigurationError(f"{path} has no table [{TABLE}]: put the settings beneath one")
    found = []
    for name, value in table.items():
        setting = BY_NAME.get(name)
        if setting is None:
            raise ConfigurationError(
                f"{path}: {name!r} is no setting; allowed are {', '.join(BY_NAME)}"
            )
        if isinstance(value, bool) != (not setting.takes) or isinstance(value, (list, dict)):
            what = "true or false" if not setting.takes else "a text or a number"
            raise ConfigurationError(f"{path}: {name} = {value!r}: it takes {what}")
        if value is not False:
            found.append(Given(setting, "yes" if value is True else str(value),
                               f"{path}: {name} = {value!r}"))  # fmt: skip
    return found


def _loaded(path: str) -> dict[str, Any]:
    loads = _toml()
    if loads is None:
        raise ConfigurationError(
            f"{path} cannot be read: TOML needs Python 3.11, or `pip install tomli`"
        )
    try:
        with open(path, encoding="utf-8") as file:
            return loads(file.read())
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ConfigurationError(f"{path} is no TOML: {error}") from None


def _toml() -> Callable[[str], dict[str, Any]] | None:
    """What reads TOML here: the standard library from Python 3.11 on."""
    for name in ("tomllib", "tomli"):
        with suppress(ModuleNotFoundError):
            loads: Callable[[str], dict[str, Any]] = import_module(name).loads
            return loads
    return None


class Limit(NamedTuple):
    """A limit as it was given."""

    amount: Amount
    written: str


def merged(sources: Iterable[list[Given]]) -> tuple[dict[str, Limit], dict[str, str]]:
    """Limits by resource and other settings by name; the first source that has one wins.

    Raises `ConfigurationError` for what cannot be read and for what contradicts itself.
    """
    limits: dict[str, Limit] = {}
    others: dict[str, str] = {}
    for source in sources:
        here: dict[str, Limit] = {}
        for given in source:
            setting = given.setting
            if setting.parse is None:
                others.setdefault(setting.name, _checked(given))
                continue
            limit = Limit(_amount(given, setting.parse), given.written)
            known = here.setdefault(setting.limits, limit)
            if known.amount != limit.amount:
                raise ConfigurationError(
                    f"{known.written} and {limit.written} contradict each other: give one of them"
                )
        for resource, limit in here.items():
            limits.setdefault(resource, limit)
    return limits, others


def _amount(given: Given, parse: Callable[[str], Amount]) -> Amount:
    try:
        return parse(given.text)
    except ConfigurationError as error:
        raise ConfigurationError(f"{given.written}: {error}") from None


def _checked(given: Given) -> str:
    setting, text = given.setting, given.text.strip()
    if not setting.takes:
        if text.lower() not in {"yes", "no", "1", "0", "true", "false"}:
            raise ConfigurationError(f"{given.written}: it is yes or no")
        return "yes" if text.lower() in {"yes", "1", "true"} else ""
    if setting.allowed and text not in setting.allowed:
        raise ConfigurationError(
            f"{given.written}: allowed is {', '.join(setting.allowed[:-1])} or "
            f"{setting.allowed[-1]}"
        )
    return text
