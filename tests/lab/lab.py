"""The lab by hand: python3 tests/lab/lab.py up|down|status|reset|send SCENARIO ...|fault NAME ..."""

import sys

from maillab.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
