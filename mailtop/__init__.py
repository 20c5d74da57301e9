"""mailtop: the console an on-call engineer opens when mail breaks."""

__version__ = "0.1.0"
