"""The mailbox: mail comes in by SMTP, is kept on disk, and is read over HTTP."""
