"""The sandbox's HTTP side: the mailbox, and the knobs of every party."""
