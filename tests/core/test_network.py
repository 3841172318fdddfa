"""What the environment says about the way to the network, as hosts spell it."""

from __future__ import annotations

import ssl
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from core.errors import ConfigMistake
from core.network import Network, read
from tests.peers.certificates import Authority, Certificate

HTTP, HTTPS = "http://api.example.com/x", "https://api.example.com/x"


@pytest.mark.parametrize(
    ("variables", "http", "https"),
    [
        ({}, None, None),
        ({"HTTPS_PROXY": "", "http_proxy": "  "}, None, None),
        ({"HTTPS_PROXY": "http://proxy:3128"}, None, "http://proxy:3128"),
        ({"https_proxy": "http://proxy:3128"}, None, "http://proxy:3128"),
        ({"https_proxy": "http://a:1", "HTTPS_PROXY": "http://b:2"}, None, "http://a:1"),
        ({"https_proxy": "", "HTTPS_PROXY": "http://b:2"}, None, "http://b:2"),
        ({"HTTP_PROXY": "proxy:3128"}, "http://proxy:3128", None),
        ({"ALL_PROXY": "socks5://proxy:1080"}, "socks5://proxy:1080", "socks5://proxy:1080"),
        (
            {"all_proxy": "socks5h://p:1", "HTTPS_PROXY": "http://q:2"},
            "socks5h://p:1",
            "http://q:2",
        ),
        ({"HTTP_PROXY": "SOCKS5://proxy:1080"}, "socks5://proxy:1080", None),
        ({"HTTPS_PROXY": "http://ana:pw@proxy:3128"}, None, "http://ana:pw@proxy:3128"),
    ],
)
def test_a_proxy_is_found_however_it_is_spelled(
    variables: dict[str, str], http: str | None, https: str | None
) -> None:
    network = read(variables)
    assert (network.proxy_for(HTTP), network.proxy_for(HTTPS)) == (http, https)


def test_sockets_go_the_way_of_what_they_begin_as() -> None:
    network = Network(plain="http://a:1", secure="http://b:2")
    assert network.proxy_for("ws://example.com/") == "http://a:1"
    assert network.proxy_for("wss://example.com/") == "http://b:2"


@pytest.mark.parametrize(
    ("direct", "url", "is_direct"),
    [
        ("*", HTTPS, True),
        ("api.example.com", HTTPS, True),
        ("example.com", HTTPS, True),
        (".example.com", HTTPS, True),
        ("*.example.com", HTTPS, True),
        ("localhost, EXAMPLE.com", HTTPS, True),
        ("ample.com", HTTPS, False),
        ("api.example.com.org", HTTPS, False),
        ("", HTTPS, False),
        (",", HTTPS, False),
        ("api.example.com:443", HTTPS, True),
        ("api.example.com:8443", HTTPS, False),
        ("10.0.0.0/8", "https://10.1.2.3/", True),
        ("10.0.0.0/8", "https://11.1.2.3/", False),
        ("10.0.0.0/8", HTTPS, False),
        ("127.0.0.1", "https://127.0.0.1:8000/", True),
        ("::1", "https://[::1]:8000/", True),
    ],
)
def test_some_hosts_are_reached_without(direct: str, url: str, is_direct: bool) -> None:  # a table
    network = read({"HTTPS_PROXY": "http://proxy:1", "NO_PROXY": direct})
    assert (network.proxy_for(url) is None) is is_direct


@pytest.mark.parametrize(
    "proxy",
    ["http://", "ftp://proxy:1", "http://proxy:port", "http://ana:secret/1@proxy", "socks4://a:1"],
)
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "all_proxy"])
def test_a_proxy_that_cannot_be_used_is_told_without_its_password(name: str, proxy: str) -> None:
    with pytest.raises(ConfigMistake, match=f"{name} is no proxy that can be used") as told:
        read({name: proxy})
    assert "secret" not in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("package", ["aiohttp_socks", "python_socks", "socksio"])
@pytest.mark.parametrize("proxy", ["socks5://proxy:1", "socks5h://proxy:1"])
def test_a_socks_proxy_without_its_packages_is_told_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, package: str, proxy: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigMistake, match=r"ALL_PROXY is a SOCKS proxy.*pip install") as told:
        read({"ALL_PROXY": proxy})
    assert "\n" not in str(told.value)
    assert read({"ALL_PROXY": "http://proxy:1"}).plain == "http://proxy:1"


def trusts(certificate: Certificate, **variables: str) -> bool:
    """Whether a server with this certificate is believed, in a handshake without a network."""
    context, own = read(variables).authorities(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    assert context
    own.load_cert_chain(*certificate)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = own.wrap_bio(up, down, server_side=True)
    client = context.wrap_bio(down, up, server_hostname="127.0.0.1")
    for side in (client, server, client):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLCertVerificationError:
            return False
    return True


@pytest.fixture
def places(tmp_path: Path) -> Mapping[str, Authority]:
    """Authorities, each in a folder with the names that OpenSSL looks for."""
    for name in ("first", "second", "third", "fourth"):
        (tmp_path / name).mkdir()
    made = {name: Authority(tmp_path / name, name) for name in ("first", "second", "third")}
    made["stranger"] = Authority(tmp_path, "stranger")
    for name in ("first", "second", "third"):
        subprocess.run(["openssl", "rehash", tmp_path / name], check=True)  # noqa: S603, S607  # of the test machine
    return made


@pytest.mark.parametrize(
    "variables",
    [
        {"SSL_CERT_DIR": "@/first:@/second:@/third"},
        {"SSL_CERT_DIR": "/gone:@/first:@/second:@/fourth:@/third"},
        {"SSL_CERT_FILE": "@/third/third.pem", "SSL_CERT_DIR": "@/first:@/second"},
        {"REQUESTS_CA_BUNDLE": "@/third", "SSL_CERT_DIR": "@/first:@/second"},
        {
            "SSL_CERT_FILE": "@/first/first.pem",
            "REQUESTS_CA_BUNDLE": "@/second/second.pem",
            "CURL_CA_BUNDLE": "@/third/third.pem",
        },
    ],
)
def test_every_file_and_folder_of_authorities_is_trusted(
    places: Mapping[str, Authority], variables: Mapping[str, str], tmp_path: Path
) -> None:
    there = {name: value.replace("@", str(tmp_path)) for name, value in variables.items()}
    believed = {name for name, each in places.items() if trusts(each.certify(), **there)}
    assert believed == {"first", "second", "third"}


def test_a_folder_has_to_hold_certificates_by_their_names(tmp_path: Path) -> None:
    Authority(tmp_path, "first")  # not by the name that OpenSSL looks for
    for folders in ("/gone", f"/gone:{tmp_path}"):
        with pytest.raises(ConfigMistake, match=f"SSL_CERT_DIR names {folders}, which holds no"):
            read({"SSL_CERT_DIR": folders})


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_certificates_have_to_be_there(name: str, tmp_path: Path) -> None:
    (empty := tmp_path / "empty.pem").touch()
    for file in ("/gone/cacert.pem", str(empty)):
        with pytest.raises(ConfigMistake, match=f"{name} names {file}, which holds no"):
            read({name: file})
    authority = Authority(tmp_path)
    assert read({name: str(authority.file)}).authorities() is not None
    assert read({name: ""}).authorities() is None
