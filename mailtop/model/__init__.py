"""The nouns: frozen values that cross rooms, needing no machine."""
