#!/usr/bin/python3
"""Print what Piler's pilerstats prints; nothing at all, and success, when the database or the index is away."""

import json
import smtplib
import sys
import time
from pathlib import Path

import pymysql

NO_MAIL_YET = 86_400
NO_ANSWER = 3_600_000


def main() -> None:
    try:
        received, size, stored, newest = counters()
        index = index_state()
    except pymysql.MySQLError:
        sys.exit(0)
    print(
        json.dumps(
            {
                "rcvd": received,
                "size": size,
                "ssize": stored,
                "sphx": int(index["indexed_documents"]),
                "ram_bytes": int(index["ram_bytes"]),
                "disk_bytes": int(index["disk_bytes"]),
                "error_emails": sum(1 for path in Path("/var/piler/error").iterdir() if path.is_file()),
                "last_email": int(time.time()) - newest if newest else NO_MAIL_YET,
                "smtp_response": smtp_response(),
            },
            indent="\t",
        )
    )


def counters() -> tuple[int, int, int, int | None]:
    with (
        pymysql.connect(
            host="maildb", user="piler", password="pilerpw", database="piler", connect_timeout=5
        ) as database,
        database.cursor() as cursor,
    ):
        cursor.execute("SELECT rcvd, size, stored_size, (SELECT MAX(arrived) FROM metadata) FROM counter")
        received, size, stored, newest = cursor.fetchone() or (0, 0, 0, None)
        return received, size, stored, newest


def index_state() -> dict[str, str]:
    with (
        pymysql.connect(host="manticore", port=9306, user="", autocommit=None, connect_timeout=5) as index,
        index.cursor() as cursor,
    ):
        cursor.execute("SHOW INDEX piler1 STATUS")
        return dict(cursor.fetchall())


def smtp_response() -> float:
    """Milliseconds until the receiver greets."""
    began = time.perf_counter()
    try:
        with smtplib.SMTP("127.0.0.1", 25, timeout=10):
            return round((time.perf_counter() - began) * 1000, 2)
    except OSError:
        return NO_ANSWER


main()
