"""Mail that goes out: it is queued, rendered in the reader's language, sent by SMTP, and tried again when that fails.

Owns the outgoing messages, their delivery attempts and the suppressed addresses. Other services queue mail with the bus
job `mailer.send` (through their outbox, in the transaction of the change it tells of) or with `POST
/internal/v1/messages`; it calls nobody but the SMTP server.
"""
