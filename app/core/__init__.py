"""What knows no domain noun: settings, database, the log, queues, errors, secrets, files."""
