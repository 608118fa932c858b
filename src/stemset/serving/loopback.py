"""Where anybody may call, only this machine may, under its own name."""

from collections.abc import Callable

from starlette.types import ASGIApp

from stemset.http_rules import is_loopback
from stemset.serving.host_names import HostNamesOnly


class LoopbackNamesOnly(HostNamesOnly):
    """Refuses a call whose ``Host`` is not a name of the loopback interface, whatever the port."""

    def __init__(self, app: ASGIApp, refusal: Callable[[str], ASGIApp]) -> None:
        """Stand before an application.

        Args:
            app: The application.
            refusal: Makes the answer to a call to the host that is given.
        """
        super().__init__(app, is_loopback, refusal)
