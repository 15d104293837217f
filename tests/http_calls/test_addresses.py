"""Which addresses are refused, in whichever way they are written."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.core.http_urls import checked_url, location_of, origin_of
from host.http_calls.addresses import refusal

PRIVATE_V4 = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
]
PUBLIC_V4 = ["1.1.1.1", "8.8.8.8", "11.0.0.1", "100.63.255.255", "100.128.0.1", "172.32.0.1"]
REFUSED_V6 = [
    "::",
    "::1",
    "64:ff9b:1::1",
    "100::1",
    "2001:2::1",
    "2001::1",
    "2001:db8::1",
    "3fff::1",
    "5f00::1",
    "4000::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]
PUBLIC_V6 = ["2606:4700:4700::1111", "2a00:1450:4001:800::200e", "2600::1"]


@pytest.mark.parametrize("text", [*PRIVATE_V4, *REFUSED_V6])
def test_what_is_not_of_the_public_internet_is_refused(text: str) -> None:
    assert refusal(ip_address(text))


@pytest.mark.parametrize("text", [*PUBLIC_V4, *PUBLIC_V6])
def test_what_is_of_the_public_internet_is_not(text: str) -> None:
    assert refusal(ip_address(text)) is None


def in_ipv6(address: IPv4Address) -> list[IPv6Address]:
    """All ways in which an IPv6 address leads to an IPv4 address."""
    number = int(address)
    return [
        IPv6Address(number),
        IPv6Address((0xFFFF << 32) | number),
        IPv6Address((0xFFFF << 48) | number),
        IPv6Address(int(IPv6Address("64:ff9b::")) | number),
        IPv6Address((0x2002 << 112) | (number << 80)),
        IPv6Address(int(IPv6Address("2606:4700::5efe:0:0")) | number),
    ]


@pytest.mark.parametrize("text", PRIVATE_V4)
def test_a_refused_address_is_refused_within_ipv6_too(text: str) -> None:
    assert all(map(refusal, in_ipv6(IPv4Address(text))))


def test_nat64_of_a_public_address_is_public_as_networks_without_ipv4_need_it() -> None:
    assert refusal(IPv6Address("64:ff9b::808:808")) is None


@given(st.ip_addresses())
def test_what_python_calls_private_is_never_let_through(address: IPv4Address | IPv6Address) -> None:
    is_nat64 = address.version == 6 and address in ip_network("64:ff9b::/96")
    if address.is_private or address.is_multicast or address.is_reserved:
        assert refusal(address) or is_nat64 or int(address) >> 32 in {0, 0xFFFF}


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "javascript:alert(1)",
        "data:text/plain,x",
        "//example.com/",
        "example.com/",
        "",
        "http://",
        "http:///path",
        "http://user@example.com/",
        "http://user:secret@example.com/",
        "http://@example.com/",
        "http://example.com\\@evil.example/",
        "http://example.com\r\nHost: evil/",
        "http://example.com\x00/",
        "http://example.com:0/",
        "http://example.com:65536/",
        "http://example.com:80:80/",
        "http://exa mple.com/",
        "http://exa%6dple.com/",
        "http://[::1/",
        "http://[fe80::1%25eth0]/",
        "http://[::ffff:1.2.3.4.5]/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://127.1/",
        "http://0177.0.0.1/",
        "http://127.0.0.1.5/",
        "http://1.2.3.0x4/",
        "http://1.2.3.4.0x",
        "http://..example.com/",
        "http://-example.com/",
        "http://local host/",
        "https://example.com/" + "x" * 9000,
    ],
)
def test_urls_that_no_request_goes_to(url: str) -> None:
    with pytest.raises(ValueError, match=r"^(has|is|begins|with) "):
        checked_url(url)


@pytest.mark.parametrize(
    ("url", "form"),
    [
        ("HTTPS://Example.COM", "https://example.com/"),
        ("https://example.com.:443/a?b=c#d", "https://example.com/a?b=c"),
        ("http://example.com:8080/a b/ü", "http://example.com:8080/a%20b/%C3%BC"),
        ("http://example.com/%2e%zz?q=a b&c=[1]", "http://example.com/%2e%zz?q=a%20b&c=[1]"),
        ("http://[2606:4700:0:0:0:0:0:1111]:80/", "http://[2606:4700::1111]/"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
        ("http://\uff11\uff12\uff17.0.0.1/", "http://127.0.0.1/"),
        ("http://my_service.internal/", "http://my_service.internal/"),
        ("  http://example.com/  ", "http://example.com/"),
    ],
)
def test_urls_have_one_form(url: str, form: str) -> None:
    assert checked_url(url) == form
    assert checked_url(form) == form


@given(st.text(max_size=60))
def test_any_text_is_a_url_in_one_form_or_refused(text: str) -> None:
    for url in (text, f"http://{text}", f"http://example.com/{text}"):
        try:
            form = checked_url(url)
        except ValueError:
            continue
        assert checked_url(form) == form
        assert form.isascii()
        assert form.isprintable()


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/status/1", "https://example.com/status/1"),
        ("status?x=1", "https://example.com/jobs/status?x=1"),
        ("//other.example/x", "https://other.example/x"),
        ("http://example.com/x", "http://example.com/x"),
        ("?x", "https://example.com/jobs/new?x"),
    ],
)
def test_a_location_is_taken_from_where_it_came(location: str, url: str) -> None:
    assert location_of("https://example.com/jobs/new", location) == url


@pytest.mark.parametrize("location", ["javascript:alert(1)", "file:///etc/passwd", "http://u@h/"])
def test_a_location_that_is_no_url_of_http_leads_nowhere(location: str) -> None:
    with pytest.raises(ValueError, match=r"has no user|begins with"):
        location_of("https://example.com/", location)


def test_an_origin_is_scheme_host_and_port() -> None:
    assert origin_of("https://example.com/a") == origin_of("https://example.com/b?c")
    others = ["http://example.com/", "https://example.com:8443/", "https://www.example.com/"]
    assert origin_of("https://example.com/") not in map(origin_of, others)
