"""nginx's own counts, as its versions and relatives write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtop.model.errors import ParseError
from mailtop.parse.stub_status import StubStatus, read

HEAD = b"HTTP/1.1 200 OK\r\nServer: %s\r\nContent-Length: 97\r\n\r\n"
BODY = b"Active connections: 291 \nserver accepts handled requests\n 16 15 31 \nReading: 6 Writing: 179 Waiting: 106 \n"
COUNTS = (291, 16, 15, 31, 6, 179, 106)


@pytest.mark.parametrize(
    ("server", "version"), [(b"nginx/1.22.1", "1.22.1"), (b"nginx", ""), (b"openresty/1.25.3.1", "")]
)
def test_counts_are_read_and_the_version_where_it_is_told(server: bytes, version: str) -> None:
    assert read(HEAD % server + BODY) == StubStatus(version, *COUNTS)


def test_tengine_tells_how_long_requests_took_too() -> None:
    body = BODY.replace(b"requests\n", b"requests request_time\n").replace(b"31 \n", b"31 877 \n")

    assert read(HEAD % b"Tengine/3.1.0" + body) == StubStatus("", *COUNTS)


@given(st.binary(max_size=300))
def test_anything_else_is_an_error(octets: bytes) -> None:
    with pytest.raises(ParseError):
        read(octets)
