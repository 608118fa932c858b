"""E-mail addresses, as they are kept and compared."""

import re

from stemset.errors import InvalidConfig

_LONGEST = 254  # Source: RFC 5321, 4.5.3.1.3, less the angle brackets
_EMAIL = re.compile(r"[^\s@<>\"(),:;\\]+@[^\s@<>\"(),:;\\]+")


def plain_email(text: str) -> str:
    """An address as it is kept and compared: in small letters.

    Providers differ in how they write one; none that matters tells addresses apart by case.

    Raises:
        InvalidConfig: It is no address.
    """
    plain = text.strip().lower()
    if not (_EMAIL.fullmatch(plain) and plain.isprintable() and len(plain) <= _LONGEST):
        raise InvalidConfig(f"{text!r} is no e-mail address, such as anna@example.org.")
    return plain
