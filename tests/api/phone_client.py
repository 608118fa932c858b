"""A service with a door for phones, and phones that come in by it.

::

    with phones_service(tmp_path, database_conninfo) as service, service.phone() as phone:
        service.pair(phone)
        phone.get("/api/jobs")
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from service_client import CONFIG, WITHIN_S
from service_program import served

LAN_ADDRESS = "127.0.0.2"
"""Of every machine, in place of one in a network."""
COOKIE = "__Host-stemset"


@dataclass(frozen=True)
class PhonesService:
    """``stemset serve --lan``.

    Attributes:
        url: Where the local user finds it.
        address: Where phones do.
        folder: Where it works.
        local: Calls it, as the local user.
    """

    url: str
    address: str
    folder: Path
    local: httpx.Client

    @property
    def authority_file(self) -> Path:
        return self.folder / "data" / "lan" / "authority.pem"

    @property
    def trusting(self) -> ssl.SSLContext:
        """What a phone has that installed the certificate, and trusts no other."""
        answer = self.local.get("/api/pairing/authority.crt")
        return ssl.create_default_context(cadata=answer.content)

    @contextmanager
    def phone(self, **more: Any) -> Iterator[httpx.Client]:
        """A phone that is not paired yet."""
        with httpx.Client(
            base_url=self.address, verify=self.trusting, timeout=WITHIN_S, trust_env=False, **more
        ) as client:
            yield client

    def code(self) -> str:
        """A code, as the local user's page gets it."""
        answer = self.local.post("/api/pairing/codes")
        assert answer.status_code == httpx.codes.OK, answer.text
        address, _, code = answer.json()["url"].partition("/pair#")
        assert address == self.address
        return code

    def pair(self, phone: httpx.Client) -> dict[str, Any]:
        """Pair a phone; what it is told."""
        answer = phone.post("/api/pairing", json={"code": self.code()})
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()


@contextmanager
def phones_service(folder: Path, conninfo: str) -> Iterator[PhonesService]:
    """Run the service, on free ports."""
    (folder / "config.yaml").write_text(CONFIG)
    lan = ("--lan", "--lan-address", LAN_ADDRESS, "--lan-port", "0")
    with (
        served(folder, {"DATABASE_URL": conninfo}, *lan) as url,
        httpx.Client(base_url=url, timeout=WITHIN_S, trust_env=False) as local,
    ):
        address = local.get("/api/pairing").json()["address"]
        yield PhonesService(url, address, folder, local)
