"""What ``stemset doctor`` checks of a deployment: it does what a job does, and leaves nothing."""

from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import partial

from stemset.cli.bucket_checks import BucketChecks
from stemset.cli.worker_checks import WorkerChecks
from stemset.config import Settings, SignInSettings

Check = Callable[[], str]


class Line(StrEnum):
    """What a deployment's checks are called, in their order; docs/deployment.md explains each."""

    BUCKET = "bucket"
    BUCKET_CLOCK = "bucket clock"
    BUCKET_CORS = "bucket lets the page in"
    WORKER = "worker"
    WORKER_SECRET = "worker secret"  # noqa: S105 - a name
    WORKER_DISK = "worker disk"
    WORKER_MODELS = "worker models"
    WORKER_COMPUTING = "worker computing"
    CALLBACK = "callback"
    ORDER = "order"
    DATABASE = "database"
    SIGN_IN = "sign-in"


def deployment_checks(settings: Settings, *, order: bool = False) -> Iterator[tuple[Line, Check]]:
    """The checks of what is configured, or is needed by a profile that is.

    A check is made before the next one is asked for: what cannot be checked, since an earlier one
    failed, does not come.

    Args:
        settings: The configuration.
        order: Whether an order is to be carried out as well.

    Yields:
        A check's name, and what does it: it gives what was seen, or raises a ``StemsetError``.
    """
    is_remote = any(profile.remote for profile in settings.profiles.values())
    if is_remote or settings.store:
        yield from _bucket(settings)
    worker = WorkerChecks(settings)
    if is_remote or settings.worker_url:
        yield from _worker(worker, settings)
    if order and not worker.is_away:
        yield Line.ORDER, partial(_order, settings)
    if settings.database:
        yield Line.DATABASE, partial(_database, settings)
    if settings.sign_in is not None:
        yield Line.SIGN_IN, partial(_sign_in, settings.sign_in)


def _bucket(settings: Settings) -> Iterator[tuple[Line, Check]]:
    bucket = BucketChecks(settings)
    yield Line.BUCKET, bucket.use
    if bucket.answers:
        yield Line.BUCKET_CLOCK, bucket.compare_clocks
    if bucket.can_be_used and settings.public_url:
        yield Line.BUCKET_CORS, bucket.let_the_page_in


def _worker(worker: WorkerChecks, settings: Settings) -> Iterator[tuple[Line, Check]]:
    yield Line.WORKER, worker.wake
    if not worker.is_away:
        yield Line.WORKER_SECRET, worker.sign
    if worker.takes_calls:
        yield Line.WORKER_DISK, worker.disk
        yield Line.WORKER_MODELS, worker.models
        yield Line.WORKER_COMPUTING, worker.computing
        if settings.backend_url:
            yield Line.CALLBACK, worker.callback


def _order(settings: Settings) -> str:
    from stemset.cli.trial_order import send_trial_order  # noqa: PLC0415 - loads most of the rest

    return send_trial_order(settings, WorkerChecks(settings).address)


def _database(settings: Settings) -> str:
    from stemset.jobs.migrate import HEAD, is_up_to_date  # noqa: PLC0415 - loads the driver

    url = settings.database_url or ""
    if is_up_to_date(url):
        return f"reached; its schema is that of this version ({HEAD})"
    return f"reached; `stemset serve` will bring its schema up to {HEAD} when it starts"


def _sign_in(settings: SignInSettings) -> str:
    import asyncio  # noqa: PLC0415 - few deployments have people sign in

    from stemset.api.sign_in.flow import begin  # noqa: PLC0415
    from stemset.api.sign_in.provider import Provider  # noqa: PLC0415

    flow, _ = begin(b"", "/", 0.0)
    asyncio.run(Provider(settings).check(flow))
    return (
        f"{settings.provider} answers, and knows this service; it must send people back to "
        f"{settings.redirect_url}"
    )
