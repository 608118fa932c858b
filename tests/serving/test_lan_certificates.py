"""What a phone that trusts the authority takes, and what it does not."""

import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from stemset.errors import InvalidConfig, OutputUnwritable
from stemset.serving.lan.certificates import AUTHORITY_FILE, SERVER_FILE, Certified, certified

NAMES = ["192.168.1.5", "fd00::5", "laptop.local"]
NOW = datetime.now(UTC)


def server_certificate(folder: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / SERVER_FILE).read_bytes())


def greet(made: Certified, name: str, *, trusted: bytes | None = None) -> None:
    """Do a client's and the server's part of a TLS handshake. Raises ``ssl.SSLError``."""
    trusting = ssl.create_default_context(cadata=trusted or made.authority)
    trusting.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(to_client, to_server, server_hostname=name)
    server = made.tls.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert client.version() in {"TLSv1.2", "TLSv1.3"}
    assert client.getpeercert()


@pytest.mark.parametrize("name", NAMES)
def test_certificate_is_trusted_for_every_address_and_name(tmp_path: Path, name: str):
    greet(certified(tmp_path / "lan", NAMES, NOW), name)


@pytest.mark.parametrize("name", ["192.168.1.6", "desk.local", "localhost"])
def test_certificate_is_not_trusted_for_other_machines(tmp_path: Path, name: str):
    with pytest.raises(ssl.SSLCertVerificationError):
        greet(certified(tmp_path / "lan", NAMES, NOW), name)


def test_certificate_is_not_trusted_by_who_trusts_another_authority(tmp_path: Path):
    made, other = (certified(tmp_path / each, NAMES, NOW) for each in ("a", "b"))

    with pytest.raises(ssl.SSLCertVerificationError):
        greet(made, NAMES[0], trusted=other.authority)


@pytest.mark.parametrize("name", ["bank.example", "local.example", "laptop.localdomain"])
def test_authority_cannot_vouch_for_a_site_of_the_internet(tmp_path: Path, name: str):
    made = certified(tmp_path / "lan", [name], NOW)

    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        greet(made, name)


def test_keys_are_readable_by_their_owner_alone(tmp_path: Path):
    folder = tmp_path / "lan"
    certified(folder, NAMES, NOW)

    assert {each.name for each in folder.iterdir()} == {AUTHORITY_FILE, SERVER_FILE}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()} == {0o600}


def test_keys_are_not_readable_by_others_in_a_folder_that_was_there(tmp_path: Path):
    tmp_path.chmod(0o755)
    certified(tmp_path, NAMES, NOW)

    assert {stat.S_IMODE(each.stat().st_mode) for each in tmp_path.glob("*.pem")} == {0o600}


def test_certificates_that_are_good_are_kept(tmp_path: Path):
    first = certified(tmp_path, NAMES, NOW)
    before = server_certificate(tmp_path)

    again = certified(tmp_path, NAMES, NOW + timedelta(days=300))

    assert again.authority == first.authority
    assert server_certificate(tmp_path) == before


@pytest.mark.parametrize(
    ("names", "later"),
    [(["192.168.1.6", "laptop.local"], timedelta(0)), (NAMES, timedelta(days=370))],
    ids=["another address", "near its end"],
)
def test_certificate_is_made_anew_by_the_same_authority(
    tmp_path: Path, names: list[str], later: timedelta
):
    first = certified(tmp_path, NAMES, NOW)
    before = server_certificate(tmp_path)

    again = certified(tmp_path, names, NOW + later)

    assert again.authority == first.authority
    assert server_certificate(tmp_path) != before
    assert server_certificate(tmp_path).not_valid_after_utc >= NOW + later + timedelta(days=390)


def test_certificate_is_no_longer_valid_than_phones_accept(tmp_path: Path):
    certified(tmp_path, NAMES, NOW)
    made = server_certificate(tmp_path)

    assert made.not_valid_after_utc - made.not_valid_before_utc <= timedelta(days=398)
    assert made.not_valid_before_utc < NOW - timedelta(hours=12)


def test_authority_that_would_end_before_what_it_signs_is_made_anew(tmp_path: Path):
    first = certified(tmp_path, NAMES, NOW)

    late = certified(tmp_path, NAMES, NOW + timedelta(days=3400))

    assert late.authority != first.authority


@pytest.mark.parametrize("damage", [b"", b"-----BEGIN", b"\xff\x00"])
def test_authority_that_is_damaged_is_not_replaced_behind_the_phones_backs(
    tmp_path: Path, damage: bytes
):
    certified(tmp_path, NAMES, NOW)
    (tmp_path / AUTHORITY_FILE).write_bytes(damage)

    with pytest.raises(InvalidConfig, match=f"{AUTHORITY_FILE} is not what Stemset made"):
        certified(tmp_path, NAMES, NOW)


def test_certificate_that_is_damaged_is_made_anew(tmp_path: Path):
    certified(tmp_path, NAMES, NOW)
    (tmp_path / SERVER_FILE).write_bytes(b"-----BEGIN")

    greet(certified(tmp_path, NAMES, NOW), NAMES[0])


def test_certificate_of_an_authority_that_was_removed_is_made_anew(tmp_path: Path):
    certified(tmp_path, NAMES, NOW)
    (tmp_path / AUTHORITY_FILE).unlink()

    greet(certified(tmp_path, NAMES, NOW), NAMES[0])


def test_folder_that_cannot_be_made_is_said(tmp_path: Path):
    (tmp_path / "lan").touch()

    with pytest.raises(OutputUnwritable, match="lan"):
        certified(tmp_path / "lan", NAMES, NOW)


def test_fingerprint_is_written_as_phones_show_it(tmp_path: Path):
    fingerprint = certified(tmp_path, NAMES, NOW).fingerprint

    assert len(fingerprint.split(":")) == 32
    assert fingerprint == fingerprint.upper()
