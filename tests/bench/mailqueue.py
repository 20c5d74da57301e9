"""Makes up `postqueue -j` of an incident: providers that throttle, dead domains, greylists, a burst by one sender.

python tests/bench/mailqueue.py MESSAGES > FILE
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator

AT = 1_795_490_000
_BASE52 = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"
_LARGE = [f"provider{n}.test" for n in range(6)]
_SMALL = [f"domain{n}.test" for n in range(3000)]
_REASONS = (
    "connect to mx1.{d}[{ip}]:25: Connection timed out",
    "delivery temporarily suspended: connect to mx1.{d}[{ip}]:25: Connection refused",
    "host mx1.{d}[{ip}] said: 421 4.7.0 [TSS04] Messages from 192.0.2.10 temporarily deferred due to unexpected volume",
    "host mx1.{d}[{ip}] said: 450 4.7.1 Recipient address rejected: Greylisted (in reply to RCPT TO command)",
    "host mx1.{d}[{ip}] said: 452 4.2.2 The email account that you tried to reach is over quota",
    "lost connection with mx1.{d}[{ip}] while receiving the initial server greeting",
)


def lines(messages: int, seed: int = 5) -> Iterator[str]:
    """Yield lines; 15,000 messages are active, one in a hundred is held, the others are deferred."""
    luck = random.Random(seed)
    domains = [*_LARGE, *_SMALL]
    address = {domain: f"203.0.{luck.randrange(256)}.{luck.randrange(256)}" for domain in domains}
    texts = {domain: [text.format(d=domain, ip=address[domain]) for text in _REASONS] for domain in domains}
    senders = [f"news{n % 20}@customer{n // 20}.test" for n in range(1200)]
    active = min(15_000, messages // 10)
    for number in range(messages):
        arrival = AT - int(luck.expovariate(1 / 20_000))
        queue = "active" if number < active else "hold" if number % 100 == 0 else "deferred"
        recipients = ", ".join(
            _recipient(luck, domain, texts[domain] if queue != "active" else [])
            for domain in luck.choices(domains, [500] * 6 + [1] * 3000, k=luck.choice((1, 1, 1, 1, 1, 1, 2, 3)))
        )
        sender = "MAILER-DAEMON" if luck.random() < 0.2 else luck.choice(senders)
        yield (
            f'{{"queue_name": "{queue}", "queue_id": "{_long_id(arrival, luck.randrange(10**6), number)}", '
            f'"arrival_time": {arrival}, "message_size": {int(luck.lognormvariate(9.3, 1.3))}, '
            f'"forced_expire": false, "sender": "{sender}", "recipients": [{recipients}]}}\n'
        )


def _recipient(luck: random.Random, domain: str, texts: list[str]) -> str:
    reason = f', "delay_reason": "{luck.choice(texts)}"' if texts else ""
    return f'{{"address": "user{luck.randrange(10**6)}@{domain}"{reason}}}'


def _long_id(seconds: int, micros: int, inode: int) -> str:
    return _digits(seconds, 6) + _digits(micros, 4) + "z" + _digits(0x4B0000 + inode, 5)


def _digits(number: int, width: int) -> str:
    text = ""
    for _ in range(width):
        number, digit = divmod(number, 52)
        text = _BASE52[digit] + text
    return text


if __name__ == "__main__":
    sys.stdout.writelines(lines(int(sys.argv[1])))
