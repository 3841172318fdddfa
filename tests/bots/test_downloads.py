"""A file is fetched from where its platform keeps it: nowhere else, and no more than is wanted."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from bots.downloads import NAME, download, kept_at, origin_of
from core.clock import now
from core.errors import DeliveryRefused, Transient
from core.turn.held_lease import HeldLease
from storage.errors import LeaseLost
from storage.lease import Lease
from tests.peers.elsewhere import Elsewhere

TOKEN = "xoxb-of-a-test"  # noqa: S105 - nobody's


@pytest.fixture
async def shelf() -> AsyncIterator[Elsewhere]:
    """The platform's own server."""
    async with Elsewhere() as server:
        yield server


async def fetch(shelf: Elsewhere, limit: int = 100, *, address: str = "") -> bytes:
    """The file that the platform keeps, or what stands at another address."""
    place = kept_at([shelf.url], f"/files/{NAME}")
    return await download(address or f"{shelf.url}/files/a.txt", limit, place=place, token=TOKEN)


async def test_a_file_is_fetched_with_the_token(shelf: Elsewhere) -> None:
    assert await fetch(shelf) == b"something"
    assert (shelf.asked, shelf.tokens) == (["/files/a.txt"], [f"Bearer {TOKEN}"])


async def test_a_file_that_needs_no_token_is_fetched_without(shelf: Elsewhere) -> None:
    place = kept_at([shelf.url], f"/files/{NAME}")
    await download(f"{shelf.url}/files/a.txt", 100, place=place)
    assert shelf.tokens == [""]


async def test_no_more_is_read_than_is_wanted(shelf: Elsewhere) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 10_000)

    shelf.answer = endless
    assert await fetch(shelf, 25_000) == b"x" * 25_000


async def test_what_is_packed_is_unpacked_only_as_far_as_is_wanted(shelf: Elsewhere) -> None:
    bomb = gzip.compress(bytes(50_000_000))

    async def packed(_: web.Request) -> web.StreamResponse:
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    shelf.answer = packed
    tracemalloc.start()
    try:
        assert await fetch(shelf, 25_000) == bytes(25_000)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 25_000_000


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_where_a_file_leads_to_nobody_follows(shelf: Elsewhere, status: int) -> None:
    async with Elsewhere() as elsewhere:

        async def lead(_: web.Request) -> web.StreamResponse:
            return web.Response(status=status, headers={"Location": f"{elsewhere.url}/files/a"})

        shelf.answer = lead
        with pytest.raises(DeliveryRefused, match=f"HTTP {status}"):
            await fetch(shelf)
        assert elsewhere.asked == []
    assert len(shelf.asked) == 1


async def test_what_stands_elsewhere_is_not_asked(shelf: Elsewhere) -> None:
    with pytest.raises(DeliveryRefused, match="elsewhere"):
        await fetch(shelf, address=f"{shelf.url}/api/auth.test?/files/a.txt")
    assert shelf.asked == []


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "a/b", "a?b", "a#b", "a b", "a\\b", "a\nb", "a\n", "a\0", "ä", "%"),
        *("%2e", "%2E%2e", "..%2fa", "%2Fa", "%5c", "%25", "%252f", "%00", "%0d%0a", "%7f", "%zz"),
    ],
)
async def test_what_could_be_read_as_another_path_is_no_name(shelf: Elsewhere, name: str) -> None:
    with pytest.raises(DeliveryRefused, match="elsewhere"):
        await fetch(shelf, address=f"{shelf.url}/files/{name}")
    assert shelf.asked == []


@pytest.mark.parametrize("name", ["a.txt", "a..b", "...", ".env", "a%20b", "%C3%A4.md", "a+b,c=d"])
async def test_a_name_is_asked_for_as_it_is_written(shelf: Elsewhere, name: str) -> None:
    await fetch(shelf, address=f"{shelf.url}/files/{name}")
    assert shelf.asked == [f"/files/{name}"]


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_trouble_that_may_pass_is_tried_again(shelf: Elsewhere, status: int) -> None:
    async def troubled(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status if len(shelf.asked) < 3 else 200, text="at last")

    shelf.answer = troubled
    assert await fetch(shelf) == b"at last"


async def test_trouble_that_stays_is_said(shelf: Elsewhere) -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        assert request.transport
        request.transport.close()
        return web.Response()

    shelf.answer = cut
    with pytest.raises(Transient) as caught:
        await fetch(shelf)
    assert TOKEN not in f"{caught.value!r} {caught.value.__cause__!r}"


async def test_trouble_is_borne_three_times(shelf: Elsewhere) -> None:
    async def troubled(_: web.Request) -> web.StreamResponse:
        return web.Response(status=503)

    shelf.answer = troubled
    with pytest.raises(Transient, match="HTTP 503"):
        await fetch(shelf)
    assert len(shelf.asked) == 3


async def test_what_is_gone_is_not_asked_for_again(shelf: Elsewhere) -> None:
    async def gone(_: web.Request) -> web.StreamResponse:
        return web.Response(status=404)

    shelf.answer = gone
    with pytest.raises(DeliveryRefused, match="HTTP 404"):
        await fetch(shelf)
    assert len(shelf.asked) == 1


async def test_a_process_that_lost_its_lease_fetches_nothing(shelf: Elsewhere) -> None:
    lease = Lease(
        conversation_id=1, agent_id=1, address="slack/T1/C1", opened_by="", token=1, seconds=0
    )
    with HeldLease(lease, now).in_force(), pytest.raises(LeaseLost):
        await fetch(shelf)
    assert shelf.asked == []


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://slack.com/api/", "https://slack.com"),
        ("HTTPS://Slack.com:443/api/", "https://slack.com"),
        ("http://127.0.0.1:9/api/v10", "http://127.0.0.1:9"),
        ("http://user:secret@127.0.0.1:9/api", "http://127.0.0.1:9"),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, origin: str) -> None:
    assert origin_of(url) == origin
