"""From a reason to what it means. Texts and codes are those of Postfix, its LMTP and filter servers, and providers.

Order matters among equals: what names a cause by its code comes before what guesses from a word.
"""

from __future__ import annotations

import re

from mailtop.diagnose import Symptom
from mailtop.model.snapshot import Cause
from mailtop.model.topology import Hop


def _words(pattern: str) -> re.Pattern[bytes]:
    return re.compile(pattern.encode("ascii"), re.IGNORECASE)


def _ours(cause: Cause) -> bool:
    """A next hop without a dot is a neighbour: a container, a service. Without any, the reason is our own."""
    return cause.next_hop.find(b".") < 0


# mail stops for everybody

FILTER_HUNG = Symptom(
    "filter hung",
    "{where} takes mail and does not answer",
    "look at the filter's busy children and its oldest one; restart it guarded",
    _words("^in delivery, no answer$"),
    also=lambda cause: cause.hop in (None, Hop.FILTER) or cause.next_hop == b"(filter)",
    see="filter",
    weight=3,
)
RESOLVER_DOWN = Symptom(
    "resolver down",
    "names of {where} get no answer: the resolver is down or unreachable",
    "ask the resolver from inside the Postfix container; the mail goes by itself once names resolve",
    _words("name service error.*(try again|server failure)"),
    also=lambda cause: cause.next_hops > 2,
    see="hosts",
    weight=3,
)
NO_NETWORK = Symptom(
    "uplink down",
    "{where} cannot be reached: the way out is down, or port 25 is blocked",
    "check the default route and the firewall on port 25 from the Postfix container",
    _words("^connect: (network is unreachable|no route to host|connection timed out)"),
    also=lambda cause: cause.next_hops > 8,
    see="hosts",
    weight=3,
)
HOP_VANISHED = Symptom(
    "next hop vanished",
    "the name {where} is gone: that container is stopped, and Postfix bounces instead of waiting",
    "set soft_bounce = yes, start the container, take soft_bounce back",
    _words("^unable to look up host|name service error type=(a|aaaa): host not found$"),
    also=lambda cause: bool(cause.next_hop) and _ours(cause),
    see="hosts",
    weight=3,
)
DISK_FULL = Symptom(
    "disk full",
    "{where} cannot write: no space left",
    "look at the filesystems and their top growers",
    _words("no space left|insufficient system storage|disk full|queue file write error"),
    also=_ours,  # a provider's disk is the provider's trouble
    see="hosts",
    weight=3,
)
NOT_SCHEDULED = Symptom(
    "active queue full",
    "mail is accepted faster than qmgr takes it up",
    "look at what fills the active queue; hold the burst",
    _words("^accepted, not yet active$"),
    also=lambda cause: cause.active >= 50,
    acts=("queue.hold",),
    weight=3,
)
LOCAL_LOOKUP = Symptom(
    "lookup fails",
    "our own tables give no answer ({code}): the database is down, read-only or slow",
    "look at the database behind Postfix's maps",
    _words("temporary lookup failure|alias database unavailable|address resolver failure|table lookup"),
    also=_ours,
    see="replication",
    weight=3,
)
NO_TRANSPORT = Symptom(
    "transport missing",
    "Postfix has no working transport for {where}",
    "look for warnings of master and the transport's line in master.cf",
    _words("mail transport unavailable|unknown mail transport|command time limit"),
    see="logs",
    weight=3,
)

# one hop or one provider stops

FILTER_FAILS = Symptom(
    "filter fails",
    "the filter answers with an error: {reason}",
    "look at amavis' log: a scanner that failed, a full work folder, a dead database",
    _words("virus_scan failed|error in processing|all virus scanners failed|mail_via_.* failed|amavis|unchecked"),
    see="filter",
)
BLOCKED = Symptom(
    "blocked",
    "{where} blocks our address ({code})",
    "ask the provider for delisting with the code in the reason; find who sends most there and hold it",
    _words(r"\bs31(40|50)\b|block ?list|blocked using|blacklist|banned|poor reputation|listed (at|by|in|on) |dnsbl"),
    acts=("queue.hold",),
)
RATE_LIMITED = Symptom(
    "rate limited",
    "{where} limits our rate ({code})",
    "it clears by itself when less comes: find the burst and hold it",
    _words(r"\bs77\d\b|\btss0\d\b|rate.?limit|too (many|much)|unusual rate|unexpected volume|throttl|deferred due to"),
    acts=("queue.hold",),
)
RATE_LIMITED_BY_CODE = Symptom(
    "rate limited",
    "{where} limits our rate ({code})",
    "it clears by itself when less comes: find the burst and hold it",
    code=re.compile(r"4\.7\.(28|650|651|652)|4\.3\.2"),
    acts=("queue.hold",),
)
LOOP = Symptom(
    "mail loop",
    "mail for {where} comes back to us: a VIP, an MX or mydestination moved",
    "compare transport and mydestination with the MX",
    _words("loops back to myself|too many hops|mail.*loop"),
)
TLS_FAILS = Symptom(
    "TLS fails",
    "{where} and we agree on no TLS",
    "look at the policy for that destination and its certificate",
    _words("tls (is|session) |starttls|handshake|certificate not (verified|trusted)|ssl"),
)
LOGIN_REFUSED = Symptom(
    "relay refuses login",
    "{where} refuses our login",
    "check the relay's password in smtp_sasl_password_maps",
    _words("sasl authentication failed|authentication required|5\\.7\\.8"),
)
REFUSED = Symptom(
    "connection refused",
    "nothing listens at {where}",
    "if it is ours, start it; if not, it is their trouble and the mail waits",
    _words("^connect: connection refused|^connect: no such file"),
    see="hosts",
)
UNREACHABLE = Symptom(
    "no connection",
    "{where} does not answer: it is down, or a firewall drops us",
    "try it from the host; one destination alone is usually their trouble",
    _words("^connect: "),
    see="hosts",
)
CONVERSATION_LOST = Symptom(
    "connection lost",
    "{where} accepts connections and drops or stalls them",
    "look at its log if it is ours; else a firewall or their overload",
    _words("^lost connection|^conversation .*timed out"),
)
HOP_STALLS = Symptom(
    "next hop stalls",
    "{where} takes mail and does not answer",
    "look at that hop: connected and silent for two minutes",
    _words("^in delivery, no answer$"),
)
DNS_TRY_AGAIN = Symptom(
    "DNS fails for one domain",
    "the name servers of {where} give no answer",
    "one domain alone is its owner's trouble",
    _words("name service error.*try again"),
    weight=1,
)

# clears by itself, or is one mailbox's trouble

GREYLISTED = Symptom(
    "greylisted",
    "{where} greylists us",
    "wait: the next attempt is let in",
    _words("gr[ea]y ?list|postgrey"),
    weight=1,
)
OVER_QUOTA = Symptom(
    "over quota",
    "a mailbox at {where} is full",
    "not an outage; tell the mailbox's owner",
    _words("over ?quota|quota exceeded|mailbox (is )?full|mailbox .*is full"),
    weight=1,
)
OVER_QUOTA_BY_CODE = Symptom(
    "over quota",
    "a mailbox at {where} is full",
    "not an outage; tell the mailbox's owner",
    code=re.compile(r"[45]\.2\.2"),
    weight=1,
)
NO_SUCH_USER = Symptom(
    "no such user",
    "{where} knows no such recipient",
    "look who writes to dead addresses: a stale list, or a spammer's guesses",
    _words("user unknown|no such (user|recipient|mailbox)|does not exist|recipient.*not found|invalid recipient"),
    weight=1,
)
NO_SUCH_DOMAIN = Symptom(
    "no such domain",
    "the domain {where} does not exist",
    "a typing error, or a stale list",
    _words("name service error.*host not found$|unable to look up host"),
    weight=1,
)
TOO_LARGE = Symptom(
    "too large",
    "{where} takes no mail of this size",
    "tell the sender",
    _words("size (limit|exceeds)|exceeds size|message too (large|big)"),
    weight=1,
)
HELD = Symptom(
    "on hold",
    "somebody, or a rule, put it on hold",
    "see who did in the audit; release it when it is safe",
    _words("^on hold$"),
    acts=("queue.release",),
    weight=1,
)
THEIR_TROUBLE = Symptom(
    "refused for now",
    "{where} refuses for now: {reason}",
    "their trouble, as far as the answer tells",
    code=re.compile(r"4\.3\.\d|4\.2\.[01]|451"),
    weight=1,
)
