"""Screens: each sibling exposes a `Screen`, with its key, its keys, and how to make its view."""
