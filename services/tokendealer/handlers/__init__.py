"""HTTP in and out of the tokendealer."""
