"""Runnerly on one machine: Circus keeps workers of every service on shared sockets, with the door in front of them."""
