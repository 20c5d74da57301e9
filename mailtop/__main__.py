"""`python -m mailtop`."""

import sys

from mailtop.cli import main

sys.exit(main())
