"""The other party that the mailer calls: an SMTP server."""
