"""What a message is, what may be in it, and what happens to it when a mail server answers."""
