"""People: who they are, how they prove it, and what they told us about themselves.

Owns accounts (e-mail, password hash, profile, roles), the secret links that are mailed to them, and the counters that
slow down guessing. Calls the tokendealer for tokens and sessions; queues mail and tells of what happens to an account
through its outbox.
"""
