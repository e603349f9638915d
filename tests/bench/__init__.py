"""Benchmarks: ratios between two things measured in turn in one run, never absolute times. `make bench` runs them."""
