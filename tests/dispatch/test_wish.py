from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from scripted_worker import FINGERPRINT, JOB_ID, SHA256, folder_of
from wishes import WISH

NOW = datetime(2027, 1, 1, tzinfo=UTC)


def test_order_says_everything_that_the_wish_says() -> None:
    order = replace(WISH, callback_url="https://api.example/done").order(folder_of(7), "url", NOW)

    assert (order.job_id, order.attempt, order.fingerprint) == (JOB_ID, 7, FINGERPRINT)
    assert (order.profile_name, order.output_name) == ("far", "take")
    assert order.output.prefix == "outputs/far/take/3f2a9c01-7"
    assert (order.output.format, order.output.bitrate, order.output.depth) == ("opus", 96, None)
    assert (order.strategy_name, order.strategy) == ("duo", {"_": "spleeter-2stems"})
    assert (order.input.key, order.input.name) == ("inputs/far/take.wav", "take.wav")
    assert (order.input.sha256, order.input.bytes, order.input.url) == (SHA256, 9000, "url")
    assert order.callback_url == "https://api.example/done"


def test_order_to_a_worker_with_keys_holds_no_link() -> None:
    assert not WISH.order(folder_of(), None, NOW).uses_links


@pytest.mark.parametrize(
    ("duration_s", "allowed"),
    [
        (60.0, timedelta(minutes=30)),
        (180.0, timedelta(minutes=30)),
        (181.0, timedelta(seconds=1810)),
        (None, timedelta(hours=20)),
        (0.0, timedelta(hours=20)),
    ],
)
def test_deadline_follows_the_recordings_length(
    duration_s: float | None, allowed: timedelta
) -> None:
    wish = replace(WISH, duration_s=duration_s, max_duration_s=7200.0)

    assert wish.order(folder_of(), None, NOW).deadline == NOW + allowed
