"""The other party that accounts calls: the tokendealer."""
