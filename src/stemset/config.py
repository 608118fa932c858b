"""The configuration: ``config.yaml``, the environment, and ``.env`` beside it, as one value.

Only the edges (``cli``) read it; the rooms below get what they need as arguments. The environment
wins over the file, and ``.env`` only fills in what the environment does not set.
"""

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from dotenv import dotenv_values
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from stemset.audio.formats import Depth, OutputFormat
from stemset.catalogue.strategies import DEFAULT_STRATEGY, Node, find_strategy, parse_strategy
from stemset.errors import (
    ConfigNotFound,
    InvalidConfig,
    MissingVariable,
    SecretMissing,
    StorageNotConfigured,
    UnknownProfile,
)
from stemset.orders.signing import HOW_TO_MAKE_A_SECRET, MIN_SECRET_BYTES, is_secret
from stemset.storage.settings import DEFAULT_RETRY_S, StoreSettings

DEFAULT_FILE = "config.yaml"

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


class Profile(BaseModel):
    """A named choice.

    Attributes:
        name: Its name, also that of the folder of its outputs.
        source_folder: Where recordings are found.
        strategy: Name of the strategy.
        remote: Whether the work is done by the worker.
        output: How stems are written.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    source_folder: Path
    strategy: str = DEFAULT_STRATEGY
    remote: bool = False
    output: OutputSettings = OutputSettings()

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if not _PROFILE_NAME.fullmatch(name):
            message = f"{name!r} is no profile name: 1 to 64 letters, digits, '-' and '_'"
            raise ValueError(message)
        return name


class _File(BaseModel):
    """``config.yaml`` as it is written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gpu_worker_url: str | None = None
    strategies: dict[str, Any] = {}
    profiles: list[Profile] = []
    allow_licences: list[str] | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that was configured.

    Attributes:
        file: The configuration file, None if there is none.
        folder: What relative folders are relative to.
        media: Folder of all outputs.
        worker_url: Address of the remote worker.
        strategies: The configuration's own strategies.
        profiles: Profiles by name.
        allow_licences: SPDX identifiers of licences that models may have, None for all.
        max_duration_s: Longest recording that is accepted.
        store: The bucket, None if none is configured.
        storage_retry_s: How long a bucket that does not answer is asked again.
        worker_secrets: Secrets that orders are signed with; the first one signs, all of them are
            accepted, so that a secret can be replaced while both sides run.
        worker_patience_s: How long a worker that gives no sign of life is waited for.
        backend_url: Where callbacks may go.
        worker_links: Whether orders carry presigned links, for a worker without keys to the bucket.
    """

    file: Path | None
    folder: Path
    media: Path
    worker_url: str | None
    strategies: Mapping[str, Node]
    profiles: Mapping[str, Profile]
    allow_licences: tuple[str, ...] | None
    max_duration_s: float
    store: StoreSettings | None
    storage_retry_s: float
    worker_secrets: tuple[str, ...]
    worker_patience_s: float
    backend_url: str | None
    worker_links: bool

    def profile(self, name: str) -> Profile:
        """Look a profile up.

        Raises:
            UnknownProfile: There is none; the message lists those that there are.
        """
        try:
            return self.profiles[name]
        except KeyError:
            where = self.file or "the built-in configuration"
            raise UnknownProfile(
                f"There is no profile {name!r} in {where}. "
                f"Known profiles: {', '.join(self.profiles) or 'none'}."
            ) from None

    def source_folder(self, profile: Profile) -> Path:
        """A profile's source folder, absolute."""
        return (self.folder / profile.source_folder.expanduser()).absolute()

    def strategy(self, name: str) -> Node:
        """Look a strategy up. Raises UnknownStrategy."""
        return find_strategy(name, self.strategies)


def load_settings(named: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the configuration.

    Args:
        named: The file named on the command line; otherwise ``STEMSET_CONFIG``, otherwise
            ``config.yaml`` in the working folder, if it is there.
        environ: The environment, by default the process's.

    Raises:
        ConfigNotFound: A file that was named does not exist.
        InvalidConfig: The file does not say what it must; the message names the place.
        MissingVariable: A ``${VARIABLE}`` is not set.
        InvalidStrategy: A strategy is not legal.
        UnknownStrategy: A profile names a strategy that does not exist.
    """
    environ = os.environ if environ is None else environ
    file = _find_file(named, environ)
    folder = file.parent if file else Path.cwd()
    variables = {**_dotenv(folder / ".env"), **environ}
    text = _read(file) if file else {"profiles": [{"name": "default", "source_folder": "."}]}
    written = _validate(_substitute(text, variables, str(file)), file)
    strategies = {
        name: parse_strategy(tree, f"{file}: strategies.{name}")
        for name, tree in written.strategies.items()
    }
    settings = Settings(
        file=file,
        folder=folder,
        media=(folder / variables.get("STEMSET_MEDIA_DIR", "media")).absolute(),
        worker_url=variables.get("GPU_WORKER_URL") or written.gpu_worker_url,
        strategies=MappingProxyType(strategies),
        profiles=MappingProxyType({profile.name: profile for profile in written.profiles}),
        allow_licences=None if written.allow_licences is None else tuple(written.allow_licences),
        max_duration_s=max_duration_s(variables),
        store=_store(variables),
        storage_retry_s=_storage_retry_s(variables),
        worker_secrets=_worker_secrets(variables),
        worker_patience_s=_seconds(
            "STEMSET_WORKER_PATIENCE_S", variables.get("STEMSET_WORKER_PATIENCE_S", "600")
        ),
        backend_url=variables.get("BACKEND_URL") or None,
        worker_links=_switch("STEMSET_WORKER_LINKS", variables),
    )
    for profile in settings.profiles.values():
        settings.strategy(profile.strategy)
    return settings


def max_duration_s(environ: Mapping[str, str]) -> float:
    """The duration limit: ``STEMSET_MAX_DURATION_S``, by default 12 hours.

    Raises:
        InvalidConfig: It is no positive number.
    """
    text = environ.get("STEMSET_MAX_DURATION_S", "43200")
    return _seconds("STEMSET_MAX_DURATION_S", text)


def needed_store(settings: Settings) -> StoreSettings:
    """The bucket, where there must be one.

    Raises:
        StorageNotConfigured: There is none; the message names the variables.
    """
    if settings.store is None:
        raise StorageNotConfigured(
            "Remote work goes through a bucket, and none is configured. Set R2_BUCKET_NAME, "
            "R2_ACCESS_KEY_ID, R2_SECRET_ACCESS_KEY and either R2_ACCOUNT_ID (Cloudflare R2) or "
            "STEMSET_S3_ENDPOINT (any S3 server)."
        )
    return settings.store


def _store(variables: Mapping[str, str]) -> StoreSettings | None:
    """The bucket that the ``R2_*`` variables name, None if they name none."""
    bucket = variables.get("R2_BUCKET_NAME")
    if not bucket:
        return None
    keys = ("R2_ACCESS_KEY_ID", "R2_SECRET_ACCESS_KEY")
    account, endpoint = variables.get("R2_ACCOUNT_ID"), variables.get("STEMSET_S3_ENDPOINT")
    missing = [name for name in keys if not variables.get(name)]
    if not account and not endpoint:
        missing.append("R2_ACCOUNT_ID or STEMSET_S3_ENDPOINT")
    if missing:
        raise StorageNotConfigured(
            f"R2_BUCKET_NAME is {bucket!r}, but these are not set: {', '.join(missing)}."
        )
    return StoreSettings(
        kind="s3",
        bucket=bucket,
        endpoint=endpoint or f"https://{account}.r2.cloudflarestorage.com",
        region=variables.get("STEMSET_S3_REGION", "auto"),
        access_key_id=variables["R2_ACCESS_KEY_ID"],
        secret_access_key=variables["R2_SECRET_ACCESS_KEY"],
        retry_s=_storage_retry_s(variables),
    )


def _storage_retry_s(variables: Mapping[str, str]) -> float:
    name = "STEMSET_STORAGE_RETRY_S"
    return _seconds(name, variables.get(name, str(DEFAULT_RETRY_S)))


def _worker_secrets(variables: Mapping[str, str]) -> tuple[str, ...]:
    """The secrets of ``STEMSET_WORKER_SECRET``, separated by spaces, the signing one first."""
    secrets = tuple(variables.get("STEMSET_WORKER_SECRET", "").split())
    for secret in secrets:
        if not is_secret(secret):
            raise SecretMissing(
                f"STEMSET_WORKER_SECRET must be at least {MIN_SECRET_BYTES} random bytes in "
                f"base64. {HOW_TO_MAKE_A_SECRET}"
            )
    return secrets


def _switch(name: str, variables: Mapping[str, str]) -> bool:
    """A variable that is ``1`` or ``0``, by default ``0``."""
    text = variables.get(name) or "0"
    if text not in {"0", "1"}:
        raise InvalidConfig(f"{name} must be 1 or 0, got {text!r}.")
    return text == "1"


def _seconds(name: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < math.inf:
        raise InvalidConfig(f"{name} must be a number of seconds, got {text!r}.")
    return seconds


def _find_file(named: Path | None, environ: Mapping[str, str]) -> Path | None:
    if named is None and (name := environ.get("STEMSET_CONFIG")):
        named = Path(name)
    if named is None:
        default = Path.cwd() / DEFAULT_FILE
        return default if default.is_file() else None
    if not named.is_file():
        raise ConfigNotFound(f"There is no configuration file {named}.")
    return named.absolute()


def _dotenv(path: Path) -> dict[str, str]:
    values = dotenv_values(path, interpolate=False) if path.is_file() else {}
    return {name: value for name, value in values.items() if value is not None}


def _read(file: Path) -> object:
    try:
        return yaml.safe_load(file.read_text("utf-8"))
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


def _validate(written: object, file: Path | None) -> _File:
    if not isinstance(written, dict):
        raise InvalidConfig(f"{file}: expected settings, found {type(written).__name__}.")
    try:
        checked = _File.model_validate(written)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InvalidConfig(f"{file}: {place}: {first['msg']} (got {first['input']!r}).") from error
    names = [profile.name for profile in checked.profiles]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InvalidConfig(f"{file}: two profiles are named {twice!r}.")
    return checked
