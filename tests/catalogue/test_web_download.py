"""Fetching a file from a real server, with the faults really made."""

import errno
import hashlib
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from faulty_web import Answer, FaultyWeb, serve_web

from stemset.catalogue import _fetch
from stemset.catalogue.entry import PublishedFile
from stemset.errors import ModelCorrupt, ModelDownloadFailed

CONTENT = np.random.default_rng(1).bytes(300_000)
OTHER = np.random.default_rng(2).bytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
CUT = Answer(sent_bytes=100_000)
TRIES = 5
BEARER = "our-eyes-only"
FETCH_IN_A_PROCESS = """
import sys
from pathlib import Path
from stemset.catalogue import _fetch
from stemset.catalogue.entry import PublishedFile
url, sha256, size_bytes, target = sys.argv[1:]
_fetch.fetch(PublishedFile(url, sha256, int(size_bytes)), Path(target))
"""


@pytest.fixture(autouse=True)
def own_settings(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy, and one certificate to trust: reading all of the usual ones takes long."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("SSL_CERT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


@pytest.fixture
def web() -> Iterator[FaultyWeb]:
    with serve_web(CONTENT) as served:
        yield served


@pytest.fixture
def file(web: FaultyWeb) -> PublishedFile:
    return PublishedFile(web.url(), SHA256, len(CONTENT))


@pytest.fixture
def file_of_unknown_size(web: FaultyWeb) -> PublishedFile:
    return PublishedFile(web.url(), SHA256, None)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "fetched"
    folder.mkdir()
    return folder / "weights.th"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that nobody vouches for, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "weights")])
    now, day = datetime.now(UTC), timedelta(days=1)
    addresses = [x509.IPAddress(ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("certificate") / "certificate.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@pytest.fixture
def secure_web(certificate: Path) -> Iterator[FaultyWeb]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with serve_web(CONTENT, tls) as served:
        yield served


def fetch(
    file: PublishedFile,
    target: Path,
    *,
    on_bytes: Callable[[int], None] | None = None,
    stall_s: float = 10,
    pause_s: float = 0.005,
    token: str | None = None,
) -> str:
    return _fetch.fetch(
        file, target, on_bytes=on_bytes, stall_s=stall_s, first_pause_s=pause_s, token=token
    )


def part_of(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


def record_of(target: Path) -> Path:
    return target.with_name(f"{target.name}.part.json")


def leave_part(target: Path, content: bytes, file: PublishedFile, validator: str = '"1"') -> None:
    """Leave what a broken fetch leaves."""
    part_of(target).write_bytes(content)
    record = {"url": file.url, "sha256": file.sha256, "validator": validator}
    record_of(target).write_text(json.dumps(record))


def holds_the_file_alone(target: Path) -> bool:
    return list(target.parent.iterdir()) == [target] and target.read_bytes() == CONTENT


def holds_nothing(target: Path) -> bool:
    return list(target.parent.iterdir()) == []


def test_fetch_gives_the_file_and_its_hash(
    web: FaultyWeb, file: PublishedFile, target: Path
) -> None:
    reports: list[int] = []
    assert fetch(file, target, on_bytes=reports.append) == SHA256
    assert holds_the_file_alone(target)
    assert web.ranges == [None]
    assert reports == sorted(reports)
    assert reports[-1] == len(CONTENT)
    assert max(b - a for a, b in zip([0, *reports], reports, strict=False)) <= 1 << 20


def test_fetch_with_a_short_hash_gives_the_whole_hash(web: FaultyWeb, target: Path) -> None:
    assert fetch(PublishedFile(web.url(), SHA256[:8], None), target) == SHA256
    assert holds_the_file_alone(target)


@pytest.mark.parametrize("sha256", ["", SHA256[:7], SHA256.upper(), f"{SHA256}0"])
def test_fetch_with_what_is_no_hash_is_refused(web: FaultyWeb, target: Path, sha256: str) -> None:
    with pytest.raises(ValueError, match="8 to 64 lower-case digits"):
        fetch(PublishedFile(web.url(), sha256, None), target)
    assert web.asked == []


def test_fetch_replaces_what_stands_at_the_target(file: PublishedFile, target: Path) -> None:
    target.write_bytes(OTHER)
    fetch(file, target)
    assert holds_the_file_alone(target)


def test_fetch_without_announced_length_gives_the_file(
    web: FaultyWeb, file_of_unknown_size: PublishedFile, target: Path
) -> None:
    web.answers.append(Answer(is_chunked=True))
    assert fetch(file_of_unknown_size, target) == SHA256
    assert web.ranges == [None]


def test_fetch_that_breaks_goes_on_where_it_was(
    web: FaultyWeb, file: PublishedFile, target: Path
) -> None:
    web.answers.append(CUT)
    assert fetch(file, target) == SHA256
    assert holds_the_file_alone(target)
    assert web.ranges == [None, "bytes=100000-"]
    assert [each.if_range for each in web.asked] == [None, '"1"']


def test_fetch_that_breaks_often_but_goes_on_gives_the_file(
    web: FaultyWeb, file: PublishedFile, target: Path
) -> None:
    web.answers.extend([Answer(sent_bytes=30_000)] * 8)
    assert fetch(file, target) == SHA256
    assert web.ranges == [None, *(f"bytes={n * 30_000}-" for n in range(1, 9))]


def test_fetch_that_brings_nothing_fails_and_the_next_one_goes_on(
    web: FaultyWeb, file: PublishedFile, target: Path
) -> None:
    web.answers.extend([CUT, *[Answer(sent_bytes=0)] * (TRIES - 1)])
    with pytest.raises(ModelDownloadFailed, match="100,000 of 300,000 bytes are here") as caught:
        fetch(file, target)
    assert file.url in str(caught.value)
    assert not target.exists()
    assert fetch(file, target) == SHA256
    assert web.ranges == [None] + ["bytes=100000-"] * TRIES
    assert holds_the_file_alone(target)


def test_fetch_that_is_interrupted_is_gone_on_with(
    web: FaultyWeb, file: PublishedFile, target: Path
) -> None:
    def interrupt(arrived: int) -> None:
        if arrived > 100_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(file, target, on_bytes=interrupt)
    arrived = part_of(target).stat().st_size
    assert arrived > 100_000
    fetch(file, target)
    assert web.ranges == [None, f"bytes={arrived}-"]
    assert holds_the_file_alone(target)


def test_fetch_that_is_killed_is_gone_on_with(
    web: FaultyWeb, file: PublishedFile, target: Path
) -> None:
    web.answers.append(Answer(sent_bytes=200_000, hang_s=20))
    command = [sys.executable, "-c", FETCH_IN_A_PROCESS]
    arguments = [file.url, file.sha256, str(file.size_bytes), str(target)]
    with subprocess.Popen([*command, *arguments]) as process:
        give_up_s = time.monotonic() + 20
        while not part_of(target).exists() or part_of(target).stat().st_size < 100_000:
            assert process.poll() is None
            assert time.monotonic() < give_up_s
            time.sleep(0.02)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not target.exists()
    arrived = part_of(target).stat().st_size
    assert fetch(file, target) == SHA256
    assert web.ranges == [None, f"bytes={arrived}-"]
    assert holds_the_file_alone(target)


def test_fetch_goes_on_when_the_server_is_killed_and_comes_back(
    web: FaultyWeb, file: PublishedFile, target: Path
) -> None:
    web.answers.append(Answer(sent_bytes=200_000, hang_s=5))
    back = threading.Timer(0.3, web.start)

    def kill_once(arrived: int) -> None:
        if arrived == 200_000:
            web.stop()
            back.start()

    assert fetch(file, target, on_bytes=kill_once, pause_s=0.2) == SHA256
    back.join()
    assert web.ranges == [None, "bytes=200000-"]
    assert holds_the_file_alone(target)


def test_fetch_with_no_server_fails_soon(target: Path) -> None:
    with pytest.raises(ModelDownloadFailed, match=r"refused.* 0 bytes are here .*--from FOLDER"):
        fetch(PublishedFile("http://127.0.0.1:9/weights.th", SHA256, None), target)


def test_fetch_that_stands_still_goes_on(web: FaultyWeb, file: PublishedFile, target: Path) -> None:
    web.answers.append(Answer(sent_bytes=100_000, hang_s=5))
    began = time.monotonic()
    assert fetch(file, target, stall_s=0.2) == SHA256
    assert time.monotonic() - began < 5
    assert web.ranges == [None, "bytes=100000-"]


def test_fetch_that_stands_still_again_and_again_says_what_arrived(
    web: FaultyWeb, file: PublishedFile, target: Path
) -> None:
    hang = Answer(sent_bytes=0, hang_s=2)
    web.answers.extend([Answer(sent_bytes=100_000, hang_s=2), *[hang] * (TRIES - 1)])
    with pytest.raises(ModelDownloadFailed, match=r"no byte came for 0\.2 s.* 100,000 of 300,000"):
        fetch(file, target, stall_s=0.2)
    assert len(web.asked) == TRIES


def test_fetch_of_fewer_bytes_than_announced_is_whole_at_the_published_size(
    web: FaultyWeb, file: PublishedFile, target: Path
) -> None:
    web.answers.append(Answer(length=400_000))
    assert fetch(file, target) == SHA256
    assert web.ranges == [None]


def test_fetch_of_fewer_bytes_than_announced_asks_whether_there_is_more(
    web: FaultyWeb, file_of_unknown_size: PublishedFile, target: Path
) -> None:
    web.answers.append(Answer(length=400_000))
    assert fetch(file_of_unknown_size, target) == SHA256
    assert web.ranges == [None, "bytes=300000-"]
    assert holds_the_file_alone(target)


def test_fetch_of_more_bytes_than_announced_goes_on_to_the_published_size(
    web: FaultyWeb, file: PublishedFile, target: Path
) -> None:
    web.answers.append(Answer(length=200_000))
    assert fetch(file, target) == SHA256
    assert web.ranges == [None, "bytes=200000-"]


def test_fetch_of_more_bytes_than_announced_and_no_published_size_is_refused(
    web: FaultyWeb, file_of_unknown_size: PublishedFile, target: Path
) -> None:
    web.answers.append(Answer(length=200_000))
    with pytest.raises(ModelCorrupt, match="200,000 bytes with sha256"):
        fetch(file_of_unknown_size, target)
    assert holds_nothing(target)


def test_fetch_of_other_bytes_is_refused_and_the_next_one_works(
    web: FaultyWeb, file: PublishedFile, target: Path
) -> None:
    web.answers.append(Answer(body=OTHER))
    found = hashlib.sha256(OTHER).hexdigest()
    with pytest.raises(ModelCorrupt, match=rf"{found}.* {SHA256}.*--from FOLDER"):
        fetch(file, target)
    assert web.ranges == [None]
    assert holds_nothing(target)
    assert fetch(file, target) == SHA256


def test_fetch_of_a_shorter_file_is_refused(
    web: FaultyWeb, file: PublishedFile, target: Path
) -> None:
    web.content = OTHER[:1000]
    with pytest.raises(ModelCorrupt, match=r"found 1,000 bytes.* expected 300,000 bytes"):
        fetch(file, target)
    assert web.ranges == [None, "bytes=1000-"]
    assert holds_nothing(target)


def test_fetch_of_more_bytes_than_published_is_refused_as_they_arrive(
    web: FaultyWeb, file: PublishedFile, target: Path
) -> None:
    web.answers.append(Answer(body=CONTENT + bytes(64 << 20), is_chunked=True))
    reports: list[int] = []
    with pytest.raises(ModelCorrupt, match="found more than 300,000 bytes"):
        fetch(file, target, on_bytes=reports.append)
    assert reports[-1] <= len(CONTENT)
    assert holds_nothing(target)


def test_fetch_of_unknown_size_has_a_limit(
    web: FaultyWeb,
    file_of_unknown_size: PublishedFile,
    target: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_fetch, "_MAX_BYTES", 200_000)
    web.answers.append(Answer(is_chunked=True))
    with pytest.raises(ModelCorrupt, match="found more than 200,000 bytes"):
        fetch(file_of_unknown_size, target)
    assert holds_nothing(target)


def test_fetch_from_a_server_without_ranges_begins_anew(
    web: FaultyWeb, file: PublishedFile, target: Path
) -> None:
    web.answers.extend([CUT, Answer(ranges=False)])
    reports: list[int] = []
    assert fetch(file, target, on_bytes=reports.append) == SHA256
    assert web.ranges == [None, "bytes=100000-"]
    assert reports != sorted(reports)
    assert holds_the_file_alone(target)


def test_fetch_from_a_server_without_ranges_that_always_breaks_is_given_up(
    web: FaultyWeb, file: PublishedFile, target: Path
) -> None:
    breaks = [Answer(ranges=False, sent_bytes=sent) for sent in (100_000, 50_000)]
    web.answers.extend(breaks * 10)
    with pytest.raises(ModelDownloadFailed, match="100,000 of 300,000 bytes"):
        fetch(file, target)
    assert len(web.asked) == TRIES


def test_fetch_of_a_file_that_changed_meanwhile_begins_anew(
    web: FaultyWeb, file: PublishedFile, target: Path
) -> None:
    web.answers.extend([Answer(body=OTHER, sent_bytes=100_000), Answer(etag='"2"')])
    assert fetch(file, target) == SHA256
    assert web.ranges == [None, "bytes=100000-"]
    assert holds_the_file_alone(target)


def test_fetch_of_a_file_that_changed_from_a_server_that_does_not_say_so_begins_anew(
    web: FaultyWeb, file: PublishedFile, target: Path
) -> None:
    changed = Answer(etag='"2"', if_range=False)
    web.answers.extend([Answer(body=OTHER, sent_bytes=100_000), changed])
    reports: list[int] = []
    assert fetch(file, target, on_bytes=reports.append) == SHA256
    assert reports[reports.index(100_000) + 1] < 100_000
    assert web.ranges == [None, "bytes=100000-", None]


def test_fetch_with_another_range_than_was_asked_for_begins_anew(
    web: FaultyWeb, file: PublishedFile, target: Path
) -> None:
    web.answers.extend([CUT, Answer(headers={"Content-Range": "bytes 90000-299999/300000"})])
    assert fetch(file, target) == SHA256
    assert web.ranges == [None, "bytes=100000-", None]


@pytest.mark.parametrize("etag", [None, 'W/"1"'])
def test_fetch_without_a_strong_etag_goes_on_by_the_time_of_change(
    web: FaultyWeb, file: PublishedFile, target: Path, etag: str | None
) -> None:
    web.etag, web.modified = etag, "Tue, 03 Feb 2026 10:00:00 GMT"
    web.answers.append(CUT)
    assert fetch(file, target) == SHA256
    assert web.ranges == [None, "bytes=100000-"]
    assert web.asked[1].if_range == web.modified


def test_fetch_from_a_server_that_names_no_version_begins_anew(
    web: FaultyWeb, file: PublishedFile, target: Path
) -> None:
    web.etag = None
    web.answers.append(CUT)
    assert fetch(file, target) == SHA256
    assert web.ranges == [None, None]


def test_fetch_with_a_wrong_part_begins_anew_once(
    web: FaultyWeb, file: PublishedFile, target: Path
) -> None:
    leave_part(target, OTHER[:100_000], file)
    assert fetch(file, target) == SHA256
    assert web.ranges == ["bytes=100000-", None]
    assert holds_the_file_alone(target)


def test_fetch_with_a_wrong_part_and_wrong_bytes_is_refused(
    web: FaultyWeb, file: PublishedFile, target: Path
) -> None:
    leave_part(target, OTHER[:100_000], file)
    web.content = OTHER
    with pytest.raises(ModelCorrupt, match=hashlib.sha256(OTHER).hexdigest()):
        fetch(file, target)
    assert web.ranges == ["bytes=100000-", None]
    assert holds_nothing(target)


def test_fetch_with_a_wrong_whole_part_begins_anew(
    web: FaultyWeb, file: PublishedFile, target: Path
) -> None:
    leave_part(target, OTHER, file)
    assert fetch(file, target) == SHA256
    assert web.ranges == [None]
    assert holds_the_file_alone(target)


def test_fetch_with_a_whole_part_asks_nothing(
    web: FaultyWeb, file: PublishedFile, target: Path
) -> None:
    leave_part(target, CONTENT, file)
    assert fetch(file, target) == SHA256
    assert web.asked == []
    assert holds_the_file_alone(target)


def test_fetch_with_a_whole_part_of_unknown_size_asks_whether_there_is_more(
    web: FaultyWeb, file_of_unknown_size: PublishedFile, target: Path
) -> None:
    leave_part(target, CONTENT, file_of_unknown_size)
    assert fetch(file_of_unknown_size, target) == SHA256
    assert web.ranges == ["bytes=300000-"]
    assert holds_the_file_alone(target)


def test_fetch_that_is_refused_a_range_that_it_did_not_ask_for_is_tried_again(
    web: FaultyWeb, file_of_unknown_size: PublishedFile, target: Path
) -> None:
    web.answers.append(Answer(status=416, headers={"Content-Range": "bytes */0"}))
    assert fetch(file_of_unknown_size, target) == SHA256
    assert web.ranges == [None, None]


def test_fetch_with_a_part_longer_than_the_file_begins_anew(
    web: FaultyWeb, file: PublishedFile, target: Path
) -> None:
    leave_part(target, CONTENT + b"x", file)
    assert fetch(file, target) == SHA256
    assert web.ranges == ["bytes=300001-", None]


def test_fetch_with_the_part_of_another_file_begins_anew(
    web: FaultyWeb, file: PublishedFile, target: Path
) -> None:
    leave_part(target, OTHER[:100_000], PublishedFile(web.url(path="other.th"), SHA256))
    assert fetch(file, target) == SHA256
    assert web.ranges == [None]


@pytest.mark.parametrize("record", [b"", b"[]", b'{"validator": 1}', b"\xff", None])
def test_fetch_with_a_damaged_record_begins_anew(
    web: FaultyWeb, file: PublishedFile, target: Path, record: bytes | None
) -> None:
    part_of(target).write_bytes(CONTENT[:100_000])
    if record is not None:
        record_of(target).write_bytes(record)
    assert fetch(file, target) == SHA256
    assert web.ranges == [None]
    assert holds_the_file_alone(target)


@pytest.mark.parametrize("status", [401, 403, 404, 410, 204])
def test_fetch_that_is_refused_says_what_to_do_at_once(
    web: FaultyWeb, file: PublishedFile, target: Path, status: int
) -> None:
    web.answers.append(Answer(status=status))
    with pytest.raises(ModelDownloadFailed) as caught:
        fetch(file, target)
    for word in (file.url, str(status), "weights.th", "--from FOLDER"):
        assert word in str(caught.value)
    assert len(web.asked) == 1


def test_fetch_that_is_refused_keeps_what_arrived(
    web: FaultyWeb, file: PublishedFile, target: Path
) -> None:
    web.answers.extend([CUT, Answer(status=403)])
    with pytest.raises(ModelDownloadFailed, match="403 Forbidden"):
        fetch(file, target)
    assert fetch(file, target) == SHA256
    assert web.ranges == [None, "bytes=100000-", "bytes=100000-"]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_fetch_from_a_busy_server_is_tried_again(
    web: FaultyWeb, file: PublishedFile, target: Path, status: int
) -> None:
    web.answers.extend([Answer(status=status), CUT, Answer(status=status)])
    assert fetch(file, target) == SHA256
    assert web.ranges == [None, None, "bytes=100000-", "bytes=100000-"]


def test_fetch_waits_as_long_as_the_server_asks(
    web: FaultyWeb, file: PublishedFile, target: Path
) -> None:
    web.answers.append(Answer(status=429, headers={"Retry-After": "1"}))
    assert fetch(file, target) == SHA256
    assert web.asked[1].at_s - web.asked[0].at_s >= 1


def test_fetch_from_a_server_that_stays_busy_fails(
    web: FaultyWeb, file: PublishedFile, target: Path
) -> None:
    web.answers.extend([Answer(status=503)] * 20)
    with pytest.raises(ModelDownloadFailed, match="answered 503 Service Unavailable"):
        fetch(file, target)
    assert len(web.asked) == TRIES


def redirect(url: str) -> Answer:
    return Answer(status=302, headers={"Location": url})


def test_fetch_follows_to_another_host_without_the_token(
    web: FaultyWeb, file: PublishedFile, target: Path
) -> None:
    elsewhere = redirect(web.url("localhost", "elsewhere"))
    web.answers.extend([elsewhere, CUT, elsewhere])
    assert fetch(file, target, token=f"{BEARER}\n") == SHA256
    seen = [(each.host.partition(":")[0], each.token, each.range) for each in web.asked]
    assert seen == [
        ("127.0.0.1", f"Bearer {BEARER}", None),
        ("localhost", None, None),
        ("127.0.0.1", f"Bearer {BEARER}", "bytes=100000-"),
        ("localhost", None, "bytes=100000-"),
    ]
    assert holds_the_file_alone(target)


def test_fetch_follows_on_the_same_host_with_the_token(
    web: FaultyWeb, file: PublishedFile, target: Path
) -> None:
    web.answers.append(redirect("/elsewhere"))
    assert fetch(file, target, token=BEARER) == SHA256
    assert [(each.path, each.token) for each in web.asked] == [
        ("/weights.th", f"Bearer {BEARER}"),
        ("/elsewhere", f"Bearer {BEARER}"),
    ]


def test_fetch_sends_no_token_to_another_port(
    web: FaultyWeb, file: PublishedFile, target: Path
) -> None:
    with serve_web(CONTENT) as other:
        web.answers.append(redirect(other.url()))
        assert fetch(file, target, token=BEARER) == SHA256
        assert [each.token for each in other.asked] == [None]


def test_fetch_with_a_token_that_is_none_does_not_tell_it(
    web: FaultyWeb, file: PublishedFile, target: Path
) -> None:
    with pytest.raises(ModelDownloadFailed, match="token") as caught:
        fetch(file, target, token=f"{BEARER}\n{BEARER}")
    assert BEARER not in str(caught.value)
    assert web.asked == []


@pytest.mark.parametrize(
    "place", ["http://192.0.2.1/weights.th", "ftp://127.0.0.1/weights.th", "file:///etc/hosts"]
)
def test_fetch_does_not_follow_to_what_is_not_https(
    web: FaultyWeb, file: PublishedFile, target: Path, place: str
) -> None:
    web.answers.append(redirect(place))
    with pytest.raises(ModelDownloadFailed, match=r"redirects to .* not https"):
        fetch(file, target)
    assert holds_nothing(target)


@pytest.mark.parametrize("place", ["http://[", "https://a b/"])
def test_fetch_that_redirects_to_nonsense_fails(
    web: FaultyWeb, file: PublishedFile, target: Path, place: str
) -> None:
    web.answers.extend([redirect(place)] * TRIES)
    with pytest.raises(ModelDownloadFailed):
        fetch(file, target)


def test_fetch_that_redirects_in_a_circle_fails(
    web: FaultyWeb, file: PublishedFile, target: Path
) -> None:
    web.answers.extend([redirect(file.url)] * 20)
    with pytest.raises(ModelDownloadFailed, match="redirects more than 10 times"):
        fetch(file, target)
    assert len(web.asked) == 11


@pytest.mark.parametrize("url", ["http://192.0.2.1/weights.th", "weights.th", "ftp://a/b"])
def test_fetch_over_plain_http_off_this_machine_is_refused(target: Path, url: str) -> None:
    with pytest.raises(ModelDownloadFailed, match="is not https"):
        fetch(PublishedFile(url, SHA256, None), target)


def test_fetch_over_https_trusts_the_certificates_of_the_environment(
    secure_web: FaultyWeb, target: Path
) -> None:
    secure_web.answers.append(CUT)
    assert fetch(PublishedFile(secure_web.url(), SHA256, len(CONTENT)), target) == SHA256
    assert secure_web.ranges == [None, "bytes=100000-"]


def test_fetch_over_https_from_an_unknown_host_is_refused(
    secure_web: FaultyWeb, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(ModelDownloadFailed, match=r"CERTIFICATE_VERIFY_FAILED.*SSL_CERT_FILE"):
        fetch(PublishedFile(secure_web.url(), SHA256, None), target)
    assert secure_web.asked == []


def test_fetch_over_https_does_not_follow_to_http(
    secure_web: FaultyWeb, web: FaultyWeb, target: Path
) -> None:
    secure_web.answers.append(redirect(web.url()))
    with pytest.raises(ModelDownloadFailed, match="not https"):
        fetch(PublishedFile(secure_web.url(), SHA256, None), target)
    assert web.asked == []


def test_fetch_goes_through_the_proxy_of_the_environment(
    web: FaultyWeb, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", web.url(path=""))
    published = "http://127.0.0.1:9/weights.th"
    assert fetch(PublishedFile(published, SHA256, None), target) == SHA256
    assert [each.path for each in web.asked] == [published]


@pytest.mark.parametrize(
    ("name", "value"), [("SSL_CERT_FILE", "/nowhere.pem"), ("HTTPS_PROXY", "nothing://[")]
)
def test_fetch_with_settings_that_cannot_be_used_says_so(
    file: PublishedFile, target: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ModelDownloadFailed, match="proxies and certificates"):
        fetch(file, target)


def test_fetch_onto_a_full_disk_raises_the_system_error_and_goes_on_later(
    web: FaultyWeb, file: PublishedFile, small_disk: Path
) -> None:
    target, filler = small_disk / "weights.th", small_disk / "filler"
    filler.write_bytes(bytes(shutil.disk_usage(small_disk).free - 150_000))
    with pytest.raises(OSError, match="No space left") as caught:
        fetch(file, target)
    assert caught.value.errno == errno.ENOSPC
    filler.unlink()
    arrived = part_of(target).stat().st_size
    assert 0 < arrived < 150_000
    assert fetch(file, target) == SHA256
    assert web.ranges == [None, f"bytes={arrived}-"]


def test_fetch_into_a_folder_that_is_not_there_raises_the_system_error(
    file: PublishedFile, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        fetch(file, tmp_path / "nowhere/weights.th")
