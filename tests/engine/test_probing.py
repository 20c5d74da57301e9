"""Probes as config.toml has them: slower, off, on one host or on all; what is wrong is said before anything starts."""

from __future__ import annotations

import pytest

from mailtop import config
from mailtop.engine.probing import check, chosen
from mailtop.model.errors import ConfigError
from mailtop.probe import probes

HOSTS = "[hosts.a]\n[hosts.b]\n"


def test_all_probes_run_as_shipped_unless_something_else_is_said() -> None:
    shipped = {(probe.name, probe.every, probe.role) for probe in probes()}
    assert {(probe.name, probe.every, probe.role) for probe in chosen(config.parse(HOSTS), "a")} == shipped


def test_a_host_s_own_table_goes_before_the_platform_s() -> None:
    text = HOSTS + "[probes.host_disk]\nevery = 120\n[hosts.b.probes.host_disk]\nenabled = false\n"
    settings = config.parse(text)
    check(settings)

    assert {probe.name: probe.every for probe in chosen(settings, "a")}["host_disk"] == 120.0
    assert "host_disk" not in {probe.name for probe in chosen(settings, "b")}
    assert len(chosen(settings, "b")) == len(probes()) - 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[probes.host_disc]\nevery = 5\n", "probes.host_disc: there is no such probe; known: amavis, "),
        ("[hosts.a.probes.host_disk]\nevery = 0.1\n", "hosts.a.probes.host_disk.every: expected 1 to 86400 seconds"),
    ],
)
def test_a_probe_that_there_is_not_or_too_often_is_said_in_a_line(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        check(config.parse(text if "[hosts.a." in text else HOSTS + text))

    assert str(raised.value).startswith(said)
