"""Makes of a message what may be shown: text of bounded length, without a secret."""

from __future__ import annotations

import re

MASK = "•••"
MOST_SHOWN = 4096
"""Characters of a body."""
_NAMES = "access_token|refresh_token|token|client_secret|secret|password|authorization"
_JSON = re.compile(rf'("(?:{_NAMES})"\s*:\s*)"(?:[^"\\]|\\.)*"?', re.IGNORECASE)
_FORM = re.compile(rf"((?:^|&)(?:{_NAMES})=)[^&\s]*", re.IGNORECASE)


def masked(body: bytes, secrets: tuple[str, ...] = ()) -> str:
    """The body as text; what has the name of a secret, and each of `secrets`, is masked. Broken JSON too.

    >>> masked(b'{"access_token":"abc","expires_in":60}'), masked(b"grant_type=x&client_secret=s%21")
    ('{"access_token":"•••","expires_in":60}', 'grant_type=x&client_secret=•••')
    >>> masked(bytes((0, 255)))
    '2 bytes that are not text'
    """
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return f"{len(body):,} bytes that are not text"
    text = _FORM.sub(rf"\g<1>{MASK}", _JSON.sub(rf'\g<1>"{MASK}"', text))
    for secret in filter(None, secrets):
        text = text.replace(secret, MASK)
    more = len(text) - MOST_SHOWN
    return text if more <= 0 else f"{text[:MOST_SHOWN]} … and {more:,} characters more"
