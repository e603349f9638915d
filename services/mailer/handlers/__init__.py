"""The mailer's HTTP side: for services only."""
