"""Whether variables that a deployment's files set are such as a process reads."""

from collections.abc import Mapping

from stemset.config import Settings, load_settings
from stemset.errors import StemsetError

# What wins over a name where both are set.
_WINS_OVER = {"R2_ACCOUNT_ID": "STEMSET_S3_ENDPOINT"}


def unread(environment: Mapping[str, str]) -> list[str]:
    """List the variables without which a process would be configured just the same."""
    return [name for name in environment if _is_unread(name, environment)]


def _is_unread(name: str, environment: Mapping[str, str]) -> bool:
    ignored = {_WINS_OVER.get(name)}
    given = {each: value for each, value in environment.items() if each not in ignored}
    without = {each: value for each, value in given.items() if each != name}
    return _settings(given) == _settings(without)


def _settings(environment: Mapping[str, str]) -> Settings | None:
    """What a process is configured with, None if it refuses."""
    try:
        return load_settings(environ=environment)
    except StemsetError:
        return None
