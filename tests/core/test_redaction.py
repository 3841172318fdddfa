"""No secret that the process holds is left in a text, however it is escaped."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from core.redaction import Secrets

ODD = "pä/ss\"w'o\\rd &<+%é\t=?#~"
ESCAPES: list[Callable[[str], str]] = [
    str,
    json.dumps,
    lambda text: json.dumps(text, ensure_ascii=False),
    lambda text: json.dumps(json.dumps({"token": text})),
    lambda text: json.dumps(json.dumps({"token": text}, ensure_ascii=False), ensure_ascii=False),
    repr,
    ascii,
    lambda text: repr(text.encode()),
    quote,
    lambda text: quote(text, safe=""),
    quote_plus,
    lambda text: quote(quote(text, safe=""), safe=""),
    lambda text: quote(text, safe="").lower() if text.islower() else quote(text),
    html.escape,
    lambda text: text.encode().hex(),
    *(
        lambda text, before=before: base64.b64encode(f"{'u' * before}{text}:x".encode()).decode()
        for before in range(4)
    ),
    lambda text: base64.urlsafe_b64encode(f"client:{text}".encode()).decode(),
]


def holding(*secrets: str) -> Secrets:
    """A process that holds these."""
    held = Secrets()
    for secret in secrets:
        held.hold(secret)
    return held


@pytest.mark.parametrize("secret", [ODD, "plain-secret-of-letters", "correct horse/battery+1"])
def test_a_secret_is_hidden_however_it_is_escaped(secret: str) -> None:
    escaped = [escape(secret) for escape in ESCAPES]
    assert [each for each in escaped if not is_hidden(secret, each)] == []


def is_hidden(secret: str, escaped: str) -> bool:
    """Whether only this of a text is hidden; of base64 and JSON stays what is around the secret."""
    shown = holding(secret).hidden(f"before {escaped} after")
    left = shown.removeprefix("before ").removesuffix(" after")
    is_hidden = "•••" in left and escaped.strip("\"'=b") not in left
    return is_hidden and shown == f"before {left} after" and len(left) <= 30


@given(st.text(min_size=6), st.sampled_from(ESCAPES[:14]))
def test_any_secret_is_hidden(secret: str, escape: Callable[[str], str]) -> None:
    try:
        escaped = escape(secret)
    except UnicodeEncodeError:
        return
    shown = holding(secret).hidden(f"<{escaped}>")
    assert secret not in shown.replace("•••", "")


@pytest.mark.parametrize(
    "key",
    [
        "xoxb-1234567890-abcdefGHIJ",
        "xoxe.xoxp-1-Mi0yLTEyMzQ1Njc4",
        "xapp-1-A0001-123456-abcdef",
        "sk-proj-abcdefghijklmnop_1234",
        "sk-ant-api03-abcdefghijklmnop",
        "sk-or-v1-0123456789abcdef0123",
        "AIzaSyA1234567890abcdefghijklmnopqrstuv",
        "gsk_abcdefghijklmnopqrstuvwx",
        "hf_abcdefghijklmnopqrstuvwx",
        "xai-abcdefghijklmnopqrstuvwx",
        "pplx-abcdefghijklmnopqrstuvwx",
        "nvapi-abcdefghijklmnopqrstuvwx",
        "ghp_abcdefghijklmnopqrstuvwx",
        "github_pat_abcdefghijklmnopqrstuvwx",
        "AKIAABCDEFGHIJKLMNOP",
        "MTIzNDU2Nzg5MDEyMzQ1Njc4.GabcDE.abcdefghijklmnopqrstuvwxyz1234567890",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdefghijklmnop",
    ],
)
def test_a_vendors_key_is_hidden_whoever_has_it(key: str) -> None:
    assert Secrets().hidden(f'sent {{"k": "{key}"}}') == 'sent {"k": "•••"}'
    assert Secrets().hidden(f"https://a.example/?t={key}&x=1") == "https://a.example/?t=•••&x=1"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgres://me:pa%3Fss@db/x", "postgres://•••@db/x"),
        ("Authorization: Bearer abcdefghijklmnop1", "Authorization: Bearer •••"),
        ("wss://a.example/link/?ticket=1234-5678&x=1", "wss://a.example/link/?ticket=•••&x=1"),
        ("https://hooks.slack.com/services/T1/B1/abcdefgh", "https://hooks.slack.com/•••"),
        (
            "POST /api/v10/interactions/12345/aW50ZXJhY3Rpb246/callback",
            "POST /api/v10/interactions/•••/callback",
        ),
    ],
)
def test_what_is_spoken_to_by_its_address_is_hidden(text: str, shown: str) -> None:
    assert Secrets().hidden(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        'turn ended turn=3 why="it is late" key=slack/T0001/C0GENERAL/1700000000.000100',
        "https://example.com/a:b@c?x=1 risk-averse task-list desk-lamp 10:30 a@b.example",
        "Bot started, basic checks done; bearer of news",
    ],
)
def test_what_is_no_secret_is_left(text: str) -> None:
    assert holding("short", "").hidden(text) == text


def test_variables_that_are_named_like_secrets_are_known_with_their_parts() -> None:
    held = Secrets()
    variables = {
        "LOCAL_KEY": "local-secret",
        "MOORINGS_SECRET_KEY": "first-of-two, second-of-two",
        "DATABASE_URL": "postgres://me:pass%2Fword@db/x",
        "GREETING": "good morning",
    }
    held.hold_environment({name: SecretStr(value) for name, value in variables.items()})
    shown = held.hidden(
        "local-secret second-of-two first-of-two pass/word pass%2Fword good morning"
    )
    assert shown == "••• ••• ••• ••• ••• good morning"


def test_an_address_is_a_secret_only_with_a_password_in_it() -> None:
    held = Secrets()
    variables = {
        "DATABASE_URL": "sqlite://./moorings.db",
        "DB_URL": "postgres://db/x?user=me&password=in%2Fthe-query",
        "HTTPS_PROXY": "http://me:of-the-proxy@proxy:3128",
    }
    held.hold_environment({name: SecretStr(value) for name, value in variables.items()})
    assert held.hidden("sqlite://./moorings.db in/the-query in%2Fthe-query of-the-proxy") == (
        "sqlite://./moorings.db ••• ••• •••"
    )


def test_what_is_held_is_bounded_and_the_newest_stay() -> None:
    held = holding(*(f"secret-number-{number:04}" for number in range(600)))
    assert held.hidden("secret-number-0599") == "•••"
    assert held.hidden("secret-number-0000") == "secret-number-0000"
