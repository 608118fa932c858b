"""``config.yaml``: found, read, its variables replaced, and checked."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from stemset.audio.formats import Depth, OutputFormat
from stemset.catalogue.strategies import DEFAULT_STRATEGY
from stemset.config._amounts import Age, Size
from stemset.config._cost import CostSettings
from stemset.errors import ConfigNotFound, InvalidConfig, MissingVariable

DEFAULT_FILE = "config.yaml"

_BUILT_IN = {
    "profiles": [
        {"name": "default", "source_folder": "."},
        {"name": "four-stems", "source_folder": ".", "strategy": "htdemucs"},
    ]
}
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_PROFILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class OutputSettings(BaseModel):
    """How a profile's stems are written.

    Attributes:
        format: File format.
        bitrate: Bit rate of lossy formats in kbit/s.
        depth: Depth of samples, by default the recording's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: OutputFormat = OutputFormat.OPUS
    bitrate: int | None = Field(default=None, gt=0)
    depth: Depth | None = None


class Retention(BaseModel):
    """How long the service keeps what it has; see ``stemset.jobs.retention``.

    Attributes:
        inputs: How long a recording is kept after it was last used, None for ever.
        outputs: How long stems are kept after they were made, None for ever.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    inputs: Age = None
    outputs: Age = None

    def over(self, default: "Retention") -> "Retention":
        """This one, where it says nothing what a default says."""
        return default.model_copy(update=self.model_dump(include=self.model_fields_set))


class Profile(BaseModel):
    """A named choice.

    Attributes:
        name: Its name, also that of the folder of its outputs.
        source_folder: Where recordings are found.
        strategy: Name of the strategy.
        remote: Whether the work is done by the worker.
        output: How stems are written.
        retention: How long the service keeps recordings and stems.
        quota: How many bytes of recordings and stems the service takes, None for any number.
        monthly_cap: What its orders may cost in a calendar month, in the currency of ``cost``;
            None for any amount.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    source_folder: Path
    strategy: str = DEFAULT_STRATEGY
    remote: bool = False
    output: OutputSettings = OutputSettings()
    retention: Retention = Retention()
    quota: Size | None = None
    monthly_cap: float | None = Field(default=None, gt=0, allow_inf_nan=False)

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if not _PROFILE_NAME.fullmatch(name):
            message = f"{name!r} is no profile name: 1 to 64 letters, digits, '-' and '_'"
            raise ValueError(message)
        return name


class Written(BaseModel):
    """``config.yaml`` as it is written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gpu_worker_url: str | None = None
    strategies: dict[str, Any] = {}
    profiles: list[Profile] = []
    retention: Retention = Retention()
    allow_licences: list[str] | None = None
    cost: CostSettings | None = None


class _PlainLoader(yaml.SafeLoader):
    """Leaves what YAML takes for a date as it is written: some are none, and names look so, too."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - the library's
        first: [(tag, pattern) for tag, pattern in known if not tag.endswith(":timestamp")]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def find_file(named: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The configuration file, None if there is none.

    Raises:
        ConfigNotFound: One was named, and does not exist.
    """
    if named is None and (name := environ.get("STEMSET_CONFIG")):
        named = Path(name)
    if named is None:
        default = Path.cwd() / DEFAULT_FILE
        return default if default.is_file() else None
    if not named.is_file():
        raise ConfigNotFound(f"There is no configuration file {named}.")
    return named.absolute()


def read_file(file: Path | None, variables: Mapping[str, str]) -> Written:
    """What the file says; without one, the built-in default.

    Args:
        file: The file.
        variables: What ``${NAME}`` may name.

    Raises:
        InvalidConfig: It does not say what it must; the message names the place.
        MissingVariable: A ``${VARIABLE}`` is not set.
    """
    written = _BUILT_IN if file is None else _yaml(file)
    return _validate(_substitute(written, variables, str(file)), file)


def _yaml(file: Path) -> object:
    try:
        return yaml.load(file.read_text("utf-8"), _PlainLoader)  # noqa: S506 - a safe one
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidConfig(f"{file} cannot be read: {error}") from error


def _substitute(value: object, variables: Mapping[str, str], place: str) -> object:
    """Replace every ``${NAME}`` in every text of a YAML value."""
    if isinstance(value, dict):
        return {key: _substitute(item, variables, f"{place}: {key}") for key, item in value.items()}
    if isinstance(value, list):
        return [_substitute(item, variables, place) for item in value]
    if not isinstance(value, str):
        return value

    def look_up(match: re.Match[str]) -> str:
        name = match[1]
        if name not in variables:
            raise MissingVariable(f"{place}: the variable {name} is not set, nor in .env.")
        return variables[name]

    return _VARIABLE.sub(look_up, value)


def _validate(written: object, file: Path | None) -> Written:
    if not isinstance(written, dict):
        raise InvalidConfig(f"{file}: expected settings, found {type(written).__name__}.")
    try:
        checked = Written.model_validate(written)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InvalidConfig(f"{file}: {place}: {first['msg']} (got {first['input']!r}).") from error
    names = [profile.name for profile in checked.profiles]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InvalidConfig(f"{file}: two profiles are named {twice!r}.")
    for profile in checked.profiles:
        _check_cap(profile, checked.cost, file)
    return checked


def _check_cap(profile: Profile, cost: CostSettings | None, file: Path | None) -> None:
    """Refuse a limit on what nobody counts."""
    place = "worker" if profile.remote else "local"
    priced = cost is not None and getattr(cost, place) is not None
    if profile.monthly_cap is not None and not priced:
        raise InvalidConfig(
            f"{file}: profiles.{profile.name}: monthly_cap is {profile.monthly_cap:g}, and what "
            f"its orders cost is not known: set cost.{place} to a machine that cost.prices has."
        )
