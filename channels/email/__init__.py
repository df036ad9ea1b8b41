"""A mailbox as a channel: IMAP in, SMTP out. What it can and cannot do: README.md."""
