"""Everything that was configured, as one frozen value."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from stemset.catalogue.strategies import Node, find_strategy, parse_strategy
from stemset.config import _environment as environment
from stemset.config._database_url import checked
from stemset.config._file import Profile, Retention, Written, find_file, read_file
from stemset.config._sign_in import SignInSettings, sign_in
from stemset.dispatch.cost import Rate
from stemset.errors import StorageNotConfigured, UnknownProfile
from stemset.storage.settings import StoreSettings

_MAX_UPLOAD_BYTES = 20 * 2**30
_MAX_UPLOADS = 256
_CALLS_PER_S = 50
_UPLOAD_EXPIRES_S = 86_400.0
_WORKER_PATIENCE_S = 600.0
_LINK_EXPIRES_S = 3600
_MAX_LINK_EXPIRES_S = 7 * 86_400
"""Of S3. Source: AWS, Signature Version 4, X-Amz-Expires."""
_STALL_S = 600.0


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that was configured.

    Attributes:
        file: The configuration file, None if there is none.
        folder: What relative folders are relative to.
        media: Folder of all outputs.
        data: Folder of the service: its database, its lock, uploads in the making.
        database: ``DATABASE_URL`` as it is; see ``database_url``.
        worker_url: Address of the remote worker.
        strategies: The configuration's own strategies.
        profiles: Profiles by name.
        allow_licences: SPDX identifiers of licences that models may have, None for all.
        max_duration_s: Longest recording that is accepted.
        stall_s: How long computing that gets nowhere is left alone.
        max_upload_bytes: Largest file that is accepted.
        max_uploads: Uploads that may be in the making at once.
        calls_per_s: Calls a second that a token may make for as long as it likes.
        upload_expires_s: An incomplete upload is removed so long after its last part.
        store: The bucket, None if none is configured.
        storage_retry_s: How long a bucket that does not answer is asked again.
        worker_secrets: Secrets that orders are signed with; the first one signs, all of them are
            accepted, so that a secret can be replaced while both sides run.
        worker_patience_s: How long a worker that gives no sign of life is waited for.
        backend_url: Where callbacks may go.
        public_url: The address that people open the page at, None where that is as it comes.
        sign_in: How people sign in by browser, None for not at all.
        worker_links: Whether orders carry presigned links, for a worker without keys to the bucket.
        link_expires_s: How long such a link is valid; a fresh one can be asked for.
        worker_rate: What the worker costs, None if that is not known.
        local_rate: What computing on this machine costs, None if that is not known.
        metrics_token: What Prometheus shows in order to read ``/metrics``, None for nothing.
    """

    file: Path | None
    folder: Path
    media: Path
    data: Path
    database: str | None = field(repr=False)
    worker_url: str | None
    strategies: Mapping[str, Node]
    profiles: Mapping[str, Profile]
    allow_licences: tuple[str, ...] | None
    max_duration_s: float
    stall_s: float
    max_upload_bytes: int
    max_uploads: int
    calls_per_s: int
    upload_expires_s: float
    store: StoreSettings | None
    storage_retry_s: float
    worker_secrets: tuple[str, ...] = field(repr=False)
    worker_patience_s: float
    backend_url: str | None
    public_url: str | None
    sign_in: SignInSettings | None
    worker_links: bool
    link_expires_s: int
    worker_rate: Rate | None
    local_rate: Rate | None
    metrics_token: str | None = field(repr=False)

    @property
    def database_url(self) -> str | None:
        """Address of a PostgreSQL database, None for the embedded one.

        It is checked here, not when it is read: work that needs no database minds no other
        program's. Raises InvalidConfig if it is none of PostgreSQL's.
        """
        return checked(self.database)

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

    @property
    def monthly_caps(self) -> Mapping[str, float]:
        """What a profile's orders may cost in a month, where that is limited, by its name."""
        profiles = self.profiles.items()
        return {name: each.monthly_cap for name, each in profiles if each.monthly_cap is not None}

    @property
    def retention(self) -> Mapping[str, Retention]:
        """How long the service keeps what it has, by the profile's name."""
        return {name: profile.retention for name, profile in self.profiles.items()}

    def source_folder(self, profile: Profile) -> Path:
        """A profile's source folder, absolute."""
        return (self.folder / profile.source_folder.expanduser()).absolute()

    def strategy(self, name: str) -> Node:
        """Look a strategy up. Raises UnknownStrategy."""
        return find_strategy(name, self.strategies)


def load_settings(
    named: Path | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    data: Path | None = None,
) -> Settings:
    """Read the configuration.

    Args:
        named: The file named on the command line; otherwise ``STEMSET_CONFIG``, otherwise
            ``config.yaml`` in the working folder, if it is there.
        environ: The environment, by default the process's.
        data: The data folder named on the command line.

    Raises:
        ConfigNotFound: A file that was named does not exist.
        InvalidConfig: The file, or a variable, does not say what it must; the message names the
            place.
        MissingVariable: A ``${VARIABLE}`` is not set.
        InvalidStrategy: A strategy is not legal.
        UnknownStrategy: A profile names a strategy that does not exist.
        SecretMissing: What should be a secret is none.
        StorageNotConfigured: A bucket is named, and what it needs is not.
    """
    environ = os.environ if environ is None else environ
    file = find_file(named, environ)
    folder = file.parent if file else Path.cwd()
    variables = {**environment.dotenv(folder / ".env"), **environ}
    written = read_file(file, variables)
    strategies = {
        name: parse_strategy(tree, f"{file}: strategies.{name}")
        for name, tree in written.strategies.items()
    }
    settings = Settings(
        file=file,
        folder=folder,
        media=(folder / variables.get("STEMSET_MEDIA_DIR", "media")).absolute(),
        data=data.absolute() if data else environment.data_folder(variables, folder),
        database=variables.get("DATABASE_URL") or None,
        worker_url=variables.get("GPU_WORKER_URL") or written.gpu_worker_url,
        strategies=MappingProxyType(strategies),
        profiles=MappingProxyType(_profiles(written)),
        allow_licences=None if written.allow_licences is None else tuple(written.allow_licences),
        max_duration_s=environment.max_duration_s(variables),
        stall_s=environment.seconds("STEMSET_STALL_S", variables, _STALL_S),
        max_upload_bytes=environment.whole_number(
            "STEMSET_MAX_UPLOAD_BYTES", variables, _MAX_UPLOAD_BYTES
        ),
        max_uploads=environment.whole_number("STEMSET_MAX_UPLOADS", variables, _MAX_UPLOADS),
        calls_per_s=environment.whole_number("STEMSET_CALLS_PER_S", variables, _CALLS_PER_S),
        upload_expires_s=environment.seconds(
            "STEMSET_UPLOAD_EXPIRES_S", variables, _UPLOAD_EXPIRES_S
        ),
        store=environment.store(variables),
        storage_retry_s=environment.storage_retry_s(variables),
        worker_secrets=environment.worker_secrets(variables),
        worker_patience_s=environment.seconds(
            "STEMSET_WORKER_PATIENCE_S", variables, _WORKER_PATIENCE_S
        ),
        backend_url=variables.get("BACKEND_URL") or None,
        public_url=environment.public_url(variables),
        sign_in=sign_in(variables, environment.public_url(variables)),
        worker_links=environment.switch("STEMSET_WORKER_LINKS", variables),
        link_expires_s=environment.whole_number(
            "STEMSET_LINK_EXPIRES_S", variables, _LINK_EXPIRES_S, most=_MAX_LINK_EXPIRES_S
        ),
        worker_rate=written.cost and written.cost.worker_rate,
        local_rate=written.cost and written.cost.local_rate,
        metrics_token=environment.metrics_token(variables),
    )
    for profile in settings.profiles.values():
        settings.strategy(profile.strategy)
    return settings


def _profiles(written: Written) -> dict[str, Profile]:
    """Profiles by name, each with what holds for all where it says nothing itself."""
    return {
        each.name: each.model_copy(update={"retention": each.retention.over(written.retention)})
        for each in written.profiles
    }


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
