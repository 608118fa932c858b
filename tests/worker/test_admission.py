"""What an order may reach."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from running_worker import SECRET, make_order

from stemset.errors import DeadlinePassed, InvalidKey, InvalidOrder, StemsetError
from stemset.orders.messages import Links, Order, OrderInput, OrderOutput
from stemset.worker.admission import Admission

BACKEND = "https://band.example/app"
KEYED = Admission(secrets=(SECRET,), has_keys=True, backend_url=BACKEND)
LINKED = Admission(secrets=(SECRET,))


def linked(url: str, **urls: str) -> Order:
    order = make_order("job")
    return make_order(
        "job",
        input=order.input.model_copy(update={"url": url}),
        output=order.output.model_copy(update={"urls": urls}),
    )


def refusal_of(admission: Admission, order: Order) -> StemsetError | None:
    try:
        admission.check_order(order)
    except StemsetError as error:
        return error
    return None


def test_order_with_own_keys_is_taken():
    assert refusal_of(KEYED, make_order("job")) is None


@pytest.mark.parametrize(
    "key",
    [
        "outputs/h4n/song.wav",
        "inputs/h4n/../song.wav",
        "inputs/song.wav",
        "inputs/h4n/a/b.wav",
        "inputs/h4n/song.wav\n",
        "/etc/passwd",
        "",
    ],
)
def test_order_input_that_is_no_recording_is_refused(key: str):
    order = make_order("job", input=OrderInput(key=key, name="x", sha256="a" * 64, bytes=1))

    assert isinstance(refusal_of(KEYED, order), InvalidKey)


@pytest.mark.parametrize(
    "prefix",
    [
        "outputs/h4n/song_0123abcd/job-2",
        "outputs/h4n/song_0123abcd/other-1",
        "outputs/h4n/other_0123abcd/job-1",
        "outputs/other/song_0123abcd/job-1",
        "outputs/h4n/song_0123abcd",
        "outputs/h4n/../h4n/job-1",
        "inputs/h4n/song_0123abcd/job-1",
    ],
)
def test_order_folder_of_something_else_is_refused(prefix: str):
    output = OrderOutput.model_validate({"prefix": prefix, "format": "opus"})

    refusal = refusal_of(KEYED, make_order("job", output=output))

    assert isinstance(refusal, InvalidKey | InvalidOrder)


def test_order_without_links_for_worker_without_keys_is_refused_with_what_to_do():
    refusal = refusal_of(LINKED, make_order("job"))

    assert isinstance(refusal, InvalidOrder)
    assert "no keys to a bucket" in str(refusal)


@pytest.mark.parametrize(
    "url",
    [
        "https://bucket.example/key?X-Amz-Signature=0&a=%2F..%2F",
        "https://bucket.example:8443/key",
        "http://127.0.0.1:9000/key",
        "http://localhost/key",
        "http://[::1]:9000/key",
    ],
)
def test_link_by_https_or_to_loopback_is_taken(url: str):
    assert refusal_of(LINKED, linked(url)) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://bucket.example/key",
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1.evil.example/",
        "http://localhost.evil.example/",
        "http://2130706433/",
        "http://127.0.0.1@evil.example/",
        "https://user:secret@bucket.example/",
        "http://127.0.0.1\\@evil.example/",
        "http://localhost\t.evil.example/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "ftp://127.0.0.1/",
        "https:///key",
        "https://bucket.example:port/",
        "https://bucket.example/a b",
        "https://bücket.example/",
        "//bucket.example/",
        "https://[bucket/",
        "https://bucket.example/" + "a" * 8192,
    ],
)
@pytest.mark.parametrize("place", ["input", "output", "later"])
def test_link_to_anywhere_else_is_refused_without_being_shown(url: str, place: str):
    checks: dict[str, Callable[[str, str], None]] = {
        "input": lambda _, bad: LINKED.check_order(linked(bad)),
        "output": lambda good, bad: LINKED.check_order(linked(good, **{"vocals.opus": bad})),
        "later": lambda good, bad: LINKED.check_links(
            Links(job_id="job", attempt=1, urls=(good, bad))
        ),
    }
    good = "https://bucket.example/key"

    with pytest.raises(InvalidOrder) as refused:
        checks[place](good, url)

    assert url not in str(refused.value)


def test_link_that_is_empty_in_an_order_is_refused():
    assert isinstance(refusal_of(LINKED, linked("")), InvalidOrder)


def test_links_empty_where_an_upload_was_completed_are_taken():
    LINKED.check_links(Links(job_id="job", attempt=1, urls=("", "https://bucket.example/key")))


def test_links_without_signatures_are_refused():
    unsigned = Admission(has_keys=True)

    with pytest.raises(InvalidOrder, match="signed orders only"):
        unsigned.check_order(linked("https://bucket.example/key"))
    with pytest.raises(InvalidOrder, match="signed orders only"):
        unsigned.check_links(Links(job_id="job", attempt=1, urls=("https://bucket.example/",)))


@pytest.mark.parametrize("name", ["../x", "a/b", "", "x\n"])
def test_link_for_a_file_outside_the_folder_is_refused(name: str):
    order = linked("https://bucket.example/key", **{name: "https://bucket.example/x"})

    assert isinstance(refusal_of(LINKED, order), InvalidKey)


def test_link_for_outputs_but_not_the_input_is_refused():
    output = make_order("job").output.model_copy(update={"urls": {"a": "https://b.example/"}})

    assert isinstance(refusal_of(KEYED, make_order("job", output=output)), InvalidOrder)


@pytest.mark.parametrize(
    "url",
    [
        "https://band.example/app/api/jobs/1/callback",
        "https://band.example:443/app/x",
        "https://BAND.example/app",
        "https://band.example/app/x?token=1",
    ],
)
def test_callback_below_backend_is_taken(url: str):
    assert refusal_of(KEYED, make_order("job", callback_url=url)) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://band.example/app/x",
        "https://band.example:8443/app/x",
        "https://evil.example/app/x",
        "https://band.example.evil.example/app/x",
        "https://band.example@evil.example/app/x",
        "https://user@band.example/app/x",
        "https://band.example/application/x",
        "https://band.example/",
        "https://band.example/app/../x",
        "https://band.example/app/%2e%2e/x",
        "https://band.example/app/%252e%252e/x",
        "https://band.example/app/..%2fx",
        "https://band.example/app/..%5cx",
        "https://band.example/app\\..\\x",
        "https://band.example/app/x#y",
        "https://band.example\n/app/x",
        "/app/x",
        "",
    ],
)
def test_callback_elsewhere_is_refused(url: str):
    assert isinstance(refusal_of(KEYED, make_order("job", callback_url=url)), InvalidOrder)


@pytest.mark.parametrize("base", ["https://band.example", "https://band.example/"])
def test_callback_below_backend_without_path_is_taken(base: str):
    admission = Admission(has_keys=True, backend_url=base)

    order = make_order("job", callback_url="https://band.example/api/jobs/1")

    assert refusal_of(admission, order) is None


def test_callback_without_backend_configured_is_refused():
    order = make_order("job", callback_url="https://band.example/app")

    refusal = refusal_of(Admission(has_keys=True), order)

    assert "BACKEND_URL is not set" in str(refusal)


def test_deadline_in_the_past_is_refused_with_how_long_ago():
    order = make_order("job", deadline=datetime.now(UTC) - timedelta(seconds=90))

    refusal = refusal_of(KEYED, order)

    assert isinstance(refusal, DeadlinePassed)
    assert "90 s ago" in str(refusal)
