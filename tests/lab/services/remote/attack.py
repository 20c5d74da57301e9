"""Guess passwords at an SMTP submission or IMAP port: attack.py PROTOCOL HOST USER COUNT SOURCE...

Runs in the remote container, whose addresses are not ours, so that Dovecot's delay for failed logins hits nobody else.
"""

import imaplib
import itertools
import smtplib
import socket
import sys
from concurrent.futures import ThreadPoolExecutor


def guess_smtp(host: str, user: str, source: str, attempt: int) -> bool:
    with smtplib.SMTP(host, 587, local_hostname="stranger.test", source_address=(source, 0), timeout=60) as client:
        try:
            client.login(user, f"guess{attempt}")
        except smtplib.SMTPAuthenticationError:
            return False
    return True


def guess_imap(host: str, user: str, source: str, attempt: int) -> bool:
    client = _ImapFrom(host, source)
    try:
        client.login(user, f"guess{attempt}")
    except imaplib.IMAP4.error:
        return False
    finally:
        client.shutdown()
    return True


class _ImapFrom(imaplib.IMAP4):
    """An IMAP client that leaves from a chosen address of this machine."""

    def __init__(self, host: str, source: str) -> None:
        self.source = source
        super().__init__(host, 143)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        return socket.create_connection((self.host, self.port), 60, (self.source, 0))


def main(protocol: str, host: str, user: str, count: int, sources: list[str]) -> None:
    guess = {"smtp": guess_smtp, "imap": guess_imap}[protocol]
    with ThreadPoolExecutor(20) as pool:
        attempts = [
            pool.submit(guess, host, user, source, number)
            for number, source in zip(range(count), itertools.cycle(sources), strict=False)
        ]
    got_in = sum(attempt.result() for attempt in attempts)
    print(f"{count - got_in} failed")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5:])
