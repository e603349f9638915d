"""Benchmarks: ratios between two things measured in turn in one run; times only where people wait. `make bench` runs them."""
