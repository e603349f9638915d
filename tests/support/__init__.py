"""What tests stand on: real parts started for a session, and the reasons why one could not be."""
