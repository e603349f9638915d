"""The rules of recorded activities: pure and synchronous, on the standard library, numpy and msgspec."""
