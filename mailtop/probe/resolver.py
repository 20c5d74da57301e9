"""What a container's own resolver answers, asked from inside: its next hops' names, and one outside.

A container has a resolver of its own (Docker's, 127.0.0.11), and it is what the mail in it waits for. By Perl, which
every Debian has, else by `nslookup`, which busybox and so Alpine has; a resolver's error is told from a name that is
not there, which `getent` cannot. Of a Postfix the next hops are those that postconf names; other roles are asked for
the outside name alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from mailtop.config import Settings
from mailtop.model.ask import Asking, Command
from mailtop.model.board import Line
from mailtop.model.errors import Missing, ParseError
from mailtop.model.health import Health
from mailtop.model.sample import Sample
from mailtop.model.text import Foreign, shown
from mailtop.model.topology import Role, Target
from mailtop.probe import Board, Found, Metric, Probe, Run, Table

ROLES = (Role.MTA, Role.IMAP, Role.FILTER, Role.ANTISPAM, Role.ANTIVIRUS, Role.ARCHIVE, Role.SEARCH, Role.PROXY)
OUTSIDE = "a.root-servers.net"
HOPS = 6  # names that are asked for, at most

SECONDS = Metric(
    "resolver_seconds", "resolver", "s", 1.0, 5.0, means="until the container's own resolver answered, the slowest name"
)
FAILED = Metric(
    "resolver_names_failed",
    "names failed",
    "",
    crit=1.0,
    means="names for which it tells an error (SERVFAIL), nothing, or that a next hop does not exist",
    glance="resolver errors",
)

# All are asked at once, over UDP as every program does, and waited for 5 s. Lines: NAME CODE SECONDS. The time is the
# kernel's, for perl-base has no Time::HiRes.
_PERL = """
use Socket; sub now { open(my $f, "<", "/proc/uptime"); <$f> =~ /([\\d.]+)/ ? $1 : 0 }
my ($at) = `cat /etc/resolv.conf` =~ /^\\s*nameserver\\s+([\\d.]+)/m or exit 3;
socket(my $s, PF_INET, SOCK_DGRAM, 17) or exit 3; connect($s, sockaddr_in(53, inet_aton($at))) or exit 3;
my ($t, $n, %left) = (now(), 0); for (@ARGV) { $left{++$n} = $_;
send($s, pack("n6", $n, 256, 1, 0, 0, 0) . join("", map { pack("C/a*", $_) } split /\\./) . pack("Cnn", 0, 1, 1), 0) }
while (%left and (my $w = 5 - (now() - $t)) > 0) { my $r = ""; vec($r, fileno($s), 1) = 1;
select($r, undef, undef, $w) > 0 or last; defined recv($s, my $m, 4096, 0) or last; my ($i, $f) = unpack("n2", $m);
printf "%s %d %.2f\\n", $n, $f & 15, now() - $t if defined($n = delete $left{$i}) }
printf "%s silent %.2f\\n", $_, now() - $t for values %left
"""
_SCRIPT = """
perl=$1; shift
if command -v perl >/dev/null; then exec perl -e "$perl" -- "$@" </dev/null; fi
command -v nslookup >/dev/null || exit 127
for name; do
    read -r began _ </proc/uptime; said=$(timeout 5 nslookup "$name" 2>&1 </dev/null); read -r ended _ </proc/uptime
    case $said in
        *NXDOMAIN*) code=3 ;; *SERVFAIL*) code=2 ;; *REFUSED*) code=5 ;; *Name:*) code=0 ;; *) code=silent ;;
    esac
    echo "$name $code $began $ended"
done
"""
_LINE = re.compile(r"(\S{1,255}) (\d{1,2}|silent) (\d{1,9}(?:\.\d{1,3})?)(?: (\d{1,9}(?:\.\d{1,3})?))?")
_CODES = {"0": "ok", "1": "FORMERR", "2": "SERVFAIL", "3": "does not exist", "4": "NOTIMP", "5": "REFUSED"}
_NEXT_HOPS = ("content_filter", "virtual_transport", "mailbox_transport", "relayhost")
# `smtp-amavis:[amavis]:10024`, `lmtp:inet:dovecot:24`, `[relay.example.org]:587`; another relayhost is asked by its MX
_HOP = re.compile(r"(?:\[([a-z0-9._-]*[a-z][a-z0-9._-]*)\]|inet:([a-z0-9._-]*[a-z][a-z0-9._-]*))(?=:|$)")


def by_settings(settings: Settings) -> Run:
    """As the platform's [dns] says."""

    def run(target: Target) -> Asking[Iterable[Found]]:
        return (yield from _asked(target, settings.dns.outside))

    return run


def _asked(target: Target, outside: str) -> Asking[Iterable[Found]]:
    if target.instance:
        return ()  # the default instance's block shows the same resolver
    hops: tuple[str, ...] = ()
    if Role.MTA in target.roles:
        hops = _hops((yield Command(("postconf", "-x", "-h", *_NEXT_HOPS), lasts=300.0)).ok("postconf"))
    names = (*hops, outside or OUTSIDE)
    answer = yield Command(("sh", "-c", _SCRIPT, "sh", _PERL, *names), timeout=5.0 * len(names) + 5)
    if answer.exit == 127:
        raise Missing(target.name, "neither perl nor nslookup is there to ask its resolver")
    if answer.exit == 3:
        raise Missing(target.name, "names no nameserver that can be asked", "see its /etc/resolv.conf")
    return tuple(_read(answer.ok("resolver"), names, outside))


def _hops(stdout: bytes) -> tuple[str, ...]:
    """The names of next hops in Postfix's values.

    >>> _hops(b"smtp-amavis:[amavis]:10024\\nlmtp:inet:dovecot:24\\nlmtp:unix:private/x\\n[192.0.2.1]:587\\n")
    ('amavis', 'dovecot')
    """
    found = _HOP.findall(stdout.decode("utf-8", "backslashreplace").lower())
    return tuple(dict.fromkeys(one or other for one, other in found))[:HOPS]


def _read(stdout: bytes, names: Iterable[str], outside: str) -> Iterator[Found]:
    answers = dict(map(_answer, stdout.splitlines()))
    if answers.keys() != set(names):
        raise ParseError("resolver", f"not an answer for each name: {shown(Foreign(stdout), 60)!r}")
    lines = []
    for name, (code, seconds) in answers.items():
        gone = code == "3" and (name != OUTSIDE or name == outside)
        bad = gone or code not in ("0", "3")
        state = _CODES.get(code, "no answer" if code == "silent" else f"code {code}")
        health = Health.CRIT if bad else SECONDS.health(seconds)
        cells = (name.encode(), b"%.2f" % seconds, state.encode() if bad or code != "3" else b"answers: not there")
        lines.append(Line(tuple(map(Foreign, cells)), health))
    yield Sample(SECONDS.name, max(seconds for _, seconds in answers.values()))
    yield Sample(FAILED.name, sum(line.cells[2] not in (b"ok", b"answers: not there") for line in lines))
    lines.sort(key=lambda line: line.health is Health.OK)
    yield Table("resolver", ("name", ">s", "state"), tuple(lines), len(lines))


def _answer(line: bytes) -> tuple[str, tuple[str, float]]:
    match = _LINE.fullmatch(line.decode("utf-8", "backslashreplace"))
    if match is None:
        raise ParseError("resolver", f"not an answer: {shown(Foreign(line), 60)!r}")
    name, code, began, ended = match.groups()
    return name, (code, round(float(ended) - float(began), 2) if ended else float(began))


PROBE = Probe(
    "resolver",
    ROLES,
    by_settings(Settings()),
    every=60.0,
    board=Board("hosts", "resolver", (SECONDS, FAILED), order=66),
    by_settings=by_settings,
)
