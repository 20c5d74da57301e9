#!/usr/bin/python3
"""Write ClamAV's databases: signatures.py AGE, the age in hours that the daily database shall show."""

import gzip
import hashlib
import io
import sys
import tarfile
import time
from pathlib import Path

FOLDER = Path("/var/lib/clamav")
# The EICAR test file, in hexadecimal so that no scanner takes this script for it.
EICAR = (
    "58354f2150254041505b345c505a58353428505e2937434329377d2445494341522d5354414e4441"
    "52442d414e544956495255532d544553542d46494c452124482b482a"
)
HEADER_SIZE = 512


def write(age_hours: float) -> None:
    made = time.time() - age_hours * 3600
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "eicar.ndb").write_text(f"Eicar-Test-Signature:0:*:{EICAR}\n")
    (FOLDER / "daily.cud").write_bytes(container(made, signatures=b"Lab.Never:0:*:6c61622d6e657665722d666f756e64\n"))


def container(made: float, signatures: bytes) -> bytes:
    """An unsigned database container: a header of 512 bytes, then a packed tar of daily.info and daily.ndb."""
    # Databases appear daily, so the number follows the date.
    version = 27_000 + int(made // 86_400) % 1000
    stamp = time.strftime("%d %b %Y %H-%M +0000", time.gmtime(made))
    # The header is the first line of daily.info too, and both must agree.
    head = f"ClamAV-VDB:{stamp}:{version}:1:90:X:X:lab:{int(made)}"
    info = f"{head}\ndaily.ndb:{len(signatures)}:{hashlib.sha256(signatures).hexdigest()}\n".encode()
    packed = gzip.compress(_tar({"daily.info": info, "daily.ndb": signatures}))
    return head.encode().ljust(HEADER_SIZE) + packed


def _tar(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


if __name__ == "__main__":
    write(float(sys.argv[1]))
