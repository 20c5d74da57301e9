"""Mount a FUSE file system at the folder given, and never answer what the kernel asks of it.

Whoever touches the folder waits; killing this process ends the wait with an error.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path


def main(folder: str) -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    device = os.open("/dev/fuse", os.O_RDWR)
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0"
    if libc.mount(b"nfs.example.test:/export", folder.encode(), b"fuse", 0, options.encode()):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), folder)
    signal.pause()


main(sys.argv[1])
