import json

import pytest
from hypothesis import given
from hypothesis import strategies as any_of

from stemset.api._strict_json import NotJson, check_json

BIGINT = 2**63 - 1


@pytest.mark.parametrize(
    "text",
    [
        b"{}",
        b"[]",
        b'"x"',
        b"null",
        b" 1.5e3 ",
        str(BIGINT).encode(),
        str(-BIGINT).encode(),
        b"[" * 60 + b"]" * 60,
        '{"ü": "\U0001f3b5", "b": "\\ud83c\\udfb5", "c": "\\\\u0000"}'.encode(),
    ],
)
def test_json_that_everybody_reads_alike_is_taken(text: bytes):
    check_json(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"{} {}", "no JSON"),
        (b"{'a': 1}", "no JSON"),
        (b"\xef\xbb\xbf{}", "no JSON"),
        (b'{"a": "\xff"}', "not UTF-8 at byte 7"),
        ('{"a": "x"}'.encode("utf-16"), "not UTF-8"),
        (b'{"a": 1, "a": 1}', "names a key twice"),
        (b'{"b": [{"a": 1, "a": 2}]}', "names a key twice"),
        (b"[NaN]", "NaN"),
        (b"[Infinity]", "Infinity"),
        (b"[-Infinity]", "-Infinity"),
        (b"[1e400]", "beyond a double"),
        (str(BIGINT + 1).encode(), "beyond 64 bits"),
        (b"-" + b"9" * 10_000, "beyond 64 bits"),
        (b'{"a": "x\\u0000y"}', "NUL"),
        (b'{"x\\u0000y": 1}', "NUL"),
        (b'[["x\\u0000y"]]', "NUL"),
        (b'["\\ud800"]', "half a surrogate pair"),
        (b"[" * 70 + b"]" * 70, "nests deeper"),
        (b"[" * 500_000, "nests deeper"),
        (b'{"a":' * 100_000, "nests deeper"),
    ],
    ids=range(22),
)
def test_json_that_is_read_differently_or_cannot_be_kept_is_refused(text: bytes, why: str):
    with pytest.raises(NotJson, match=why):
        check_json(text)


@given(any_of.binary())
def test_any_bytes_are_taken_or_refused(text: bytes):
    try:
        check_json(text)
    except NotJson:
        return
    assert json.dumps(json.loads(text), allow_nan=False)
