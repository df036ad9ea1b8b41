"""The API channel: a bot or service of the organisation speaks for its customers. See README.md."""
