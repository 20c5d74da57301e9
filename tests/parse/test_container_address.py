"""Where the host reaches a target: by its network, or as itself."""

from __future__ import annotations

import json

import pytest

from mailtop.model.ask import Answer, Engine
from mailtop.model.errors import MailtopError, Missing, ParseError
from mailtop.model.topology import Target
from mailtop.parse.container_address import address

POSTFIX = Target("mail1", "postfix")


def told(mode: str, networks: object, target: Target = POSTFIX) -> str:
    asking = address(target)
    try:
        ask = next(asking)
        assert isinstance(ask, Engine)
        assert ask.path == "/containers/postfix/json"
        body = {"HostConfig": {"NetworkMode": mode}, "NetworkSettings": {"Networks": networks}}
        asking.send(Answer(json.dumps(body).encode()))
    except StopIteration as end:
        return str(end.value)
    raise AssertionError("asks on")


def network(ipv4: str = "", ipv6: str = "") -> dict[str, object]:
    return {"IPAddress": ipv4, "GlobalIPv6Address": ipv6, "Links": None, "Gateway": "172.28.0.1"}


def test_the_host_itself_is_not_looked_for() -> None:
    assert told("", {}, Target("mail1")) == "127.0.0.1"


def test_a_container_on_the_hosts_network_is_the_host() -> None:
    assert told("host", {"host": network()}) == "127.0.0.1"


def test_of_several_networks_the_first_that_gives_an_address_counts() -> None:
    assert told("b", {"b": network("172.28.0.30"), "a": network(), "c": network("10.0.0.1")}) == "172.28.0.30"
    assert told("six", {"six": network(ipv6="2001:db8::30")}) == "2001:db8::30"


@pytest.mark.parametrize(
    ("networks", "error"), [({}, Missing), (None, Missing), ({"none": network()}, Missing), ([], ParseError)]
)
def test_without_an_address_there_is_an_error(networks: object, error: type[MailtopError]) -> None:
    with pytest.raises(error):
        told("none", networks)
