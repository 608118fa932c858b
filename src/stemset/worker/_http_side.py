"""The HTTP side of the worker's process, put together.

Its libraries take 0.4 s to import; the process imports this module when its computing process is
on its way up already.
"""

from collections.abc import Sequence
from typing import Protocol

import uvicorn

from stemset.config import Settings
from stemset.serving.bounded_http import BoundedHttp
from stemset.serving.server import BoundedServer
from stemset.worker.admission import Admission
from stemset.worker.app import REPEAT_S, make_app
from stemset.worker.attempts import Attempts, Computing
from stemset.worker.callbacks import TRY_WITHIN_S, WAITS_S, Callbacks
from stemset.worker.checkup import INSPECT_WITHIN_S, Checkup, Inspectable

_STREAMS_END_WITHIN_S = 1


class ComputingSide(Computing, Inspectable, Protocol):
    """What is needed of ``orders.supervisor.Supervisor``."""


class HttpSide:
    """The server and what it serves."""

    def __init__(
        self,
        settings: Settings,
        computing: ComputingSide,
        *,
        repeat_s: float = REPEAT_S,
        callback_waits_s: Sequence[float] = WAITS_S,
        callback_within_s: float = TRY_WITHIN_S,
        inspect_within_s: float = INSPECT_WITHIN_S,
    ) -> None:
        """Put it together; nothing runs yet. See ``app.make_app`` and ``callbacks.Callbacks``."""
        secrets = settings.worker_secrets
        self.callbacks = Callbacks(
            secrets, waits_s=callback_waits_s, try_within_s=callback_within_s
        )
        self.attempts = Attempts(computing, self.callbacks)
        admission = Admission(secrets, settings.store is not None, settings.backend_url)
        app = make_app(
            admission,
            self.attempts,
            Checkup(admission, computing, self.callbacks, within_s=inspect_within_s),
            repeat_s=repeat_s,
            metrics_token=settings.metrics_token,
        )
        self.server = BoundedServer(
            uvicorn.Config(
                app,
                loop="asyncio",
                http=BoundedHttp,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=_STREAMS_END_WITHIN_S,
            )
        )
