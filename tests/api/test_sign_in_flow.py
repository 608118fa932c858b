"""A sign-in that is under way, in the browser's cookie."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stemset.api.sign_in.flow import LASTS_S, begin, local_path, resume
from stemset.errors import SignInExpired

SECRET, OTHER = b"s" * 32, b"o" * 32
NOW_S = 1_800_000_000.0


def test_flow_is_the_same_when_it_is_gone_on_with():
    flow, cookie = begin(SECRET, "/play/x", NOW_S)

    assert resume(SECRET, cookie, flow.state, NOW_S + LASTS_S - 1) == flow


def test_flow_gives_each_a_value_of_its_own_and_the_cookie_tells_none():
    flow, cookie = begin(SECRET, "/", NOW_S)
    told = {flow.state, flow.nonce, flow.verifier, flow.challenge}

    assert len(told) == 4
    assert all(43 <= len(each) <= 128 for each in told)
    assert not any(each in cookie for each in told)
    assert begin(SECRET, "/", NOW_S)[0].state != flow.state


@pytest.mark.parametrize("after_s", [LASTS_S + 1, -10.0])
def test_flow_of_another_time_is_expired(after_s: float):
    flow, cookie = begin(SECRET, "/", NOW_S)

    with pytest.raises(SignInExpired):
        resume(SECRET, cookie, flow.state, NOW_S + after_s)


@pytest.mark.parametrize("state", [None, "", "x", "é"])
def test_flow_with_another_state_is_expired(state: str | None):
    _, cookie = begin(SECRET, "/", NOW_S)

    with pytest.raises(SignInExpired):
        resume(SECRET, cookie, state, NOW_S)


def test_flow_that_another_secret_sealed_is_expired():
    flow, cookie = begin(OTHER, "/", NOW_S)

    with pytest.raises(SignInExpired):
        resume(SECRET, cookie, flow.state, NOW_S)


@given(st.one_of(st.none(), st.text(), st.text("abcAB_-.=09")), st.text())
def test_cookie_of_any_text_is_expired(cookie: str | None, state: str):
    with pytest.raises(SignInExpired):
        resume(SECRET, cookie, state, NOW_S)


@given(st.integers(min_value=0), st.integers(1, 255))
def test_cookie_with_one_character_changed_is_expired(at: int, by: int):
    flow, cookie = begin(SECRET, "/play/x", NOW_S)
    at %= len(cookie)
    changed = cookie[:at] + chr((ord(cookie[at]) + by) % 256) + cookie[at + 1 :]

    with pytest.raises(SignInExpired):
        resume(SECRET, changed, flow.state, NOW_S)


@pytest.mark.parametrize("path", ["/", "/play/x", "/play/x?stem=drums#1:20", "/?a=//b", "/apian"])
def test_path_of_the_page_is_gone_to(path: str):
    assert local_path(path) == path


@given(st.text())
def test_path_of_any_text_is_one_of_this_site(text: str):
    path = local_path(text)

    assert path.startswith("/")
    assert not path.startswith(("//", "/\\", "/api/"))
    assert path.isprintable()
