"""What variables of the environment say, each read and checked by a function of its own."""

import math
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

from stemset.errors import InvalidConfig, SecretMissing, StorageNotConfigured
from stemset.orders.signing import HOW_TO_MAKE_A_SECRET, MIN_SECRET_BYTES, is_secret
from stemset.storage.settings import DEFAULT_RETRY_S, StoreSettings

_METRICS_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{16,200}")  # Source: RFC 6750, b64token


def dotenv(path: Path) -> dict[str, str]:
    """The variables of a ``.env``; none if it is not there."""
    values = dotenv_values(path, interpolate=False) if path.is_file() else {}
    return {name: value for name, value in values.items() if value is not None}


def max_duration_s(environ: Mapping[str, str]) -> float:
    """The duration limit: ``STEMSET_MAX_DURATION_S``, by default 12 hours.

    Raises:
        InvalidConfig: It is no positive number.
    """
    return seconds("STEMSET_MAX_DURATION_S", environ, 43_200)


def data_folder(variables: Mapping[str, str], folder: Path) -> Path:
    """The service's own folder: ``STEMSET_DATA_DIR``, by default where the system keeps such.

    Args:
        variables: The environment.
        folder: What a relative one is relative to.
    """
    if written := variables.get("STEMSET_DATA_DIR"):
        return (folder / written).absolute()
    if os.geteuid() == 0 and sys.platform != "darwin":
        return Path("/var/lib/stemset/data")
    from platformdirs import user_data_path  # noqa: PLC0415 - few commands need a data folder

    return user_data_path("stemset", appauthor=False)


def store(variables: Mapping[str, str]) -> StoreSettings | None:
    """The bucket that the ``R2_*`` variables name, None if they name none.

    Raises:
        StorageNotConfigured: Some of them are missing.
    """
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
        retry_s=storage_retry_s(variables),
    )


def storage_retry_s(variables: Mapping[str, str]) -> float:
    """How long a store that does not answer is asked again. Raises InvalidConfig."""
    return seconds("STEMSET_STORAGE_RETRY_S", variables, DEFAULT_RETRY_S)


def worker_secrets(variables: Mapping[str, str]) -> tuple[str, ...]:
    """The secrets of ``STEMSET_WORKER_SECRET``, separated by spaces, the signing one first.

    Raises:
        SecretMissing: One of them is no secret.
    """
    secrets = tuple(variables.get("STEMSET_WORKER_SECRET", "").split())
    for secret in secrets:
        if not is_secret(secret):
            raise SecretMissing(
                f"STEMSET_WORKER_SECRET must be at least {MIN_SECRET_BYTES} random bytes in "
                f"base64. {HOW_TO_MAKE_A_SECRET}"
            )
    return secrets


def public_url(variables: Mapping[str, str]) -> str | None:
    """Where people open the page: ``STEMSET_PUBLIC_URL``, else ``BACKEND_URL``, else None."""
    written = variables.get("STEMSET_PUBLIC_URL") or variables.get("BACKEND_URL") or None
    return written and written.rstrip("/")


def metrics_token(variables: Mapping[str, str]) -> str | None:
    """The token of ``STEMSET_METRICS_TOKEN``, None if it is not set.

    Raises:
        SecretMissing: It is too short, or nothing that a header can hold.
    """
    token = variables.get("STEMSET_METRICS_TOKEN") or None
    if token is not None and not _METRICS_TOKEN.fullmatch(token):
        raise SecretMissing(
            "STEMSET_METRICS_TOKEN must be at least 16 letters, digits or -._~+/=. "
            f"{HOW_TO_MAKE_A_SECRET}"
        )
    return token


def switch(name: str, variables: Mapping[str, str]) -> bool:
    """A variable that is ``1`` or ``0``, by default ``0``. Raises InvalidConfig."""
    text = variables.get(name) or "0"
    if text not in {"0", "1"}:
        raise InvalidConfig(f"{name} must be 1 or 0, got {text!r}.")
    return text == "1"


def seconds(name: str, variables: Mapping[str, str], default: float) -> float:
    """A variable that is a positive number of seconds. Raises InvalidConfig."""
    text = variables.get(name, str(default))
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < math.inf:
        raise InvalidConfig(f"{name} must be a number of seconds, got {text!r}.")
    return number


def whole_number(
    name: str, variables: Mapping[str, str], default: int, *, most: int = 2**63 - 1
) -> int:
    """A variable that is a whole number from 1 on. Raises InvalidConfig."""
    text = variables.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= most):
        limit = f"1 to {most:,}" if most < 2**63 - 1 else "1 on"
        raise InvalidConfig(f"{name} must be a whole number from {limit}, got {text!r}.")
    return int(text)
