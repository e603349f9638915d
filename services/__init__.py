"""Runnerly: the program. One package a service, the `chassis` they stand on, and the `command` that starts them."""
