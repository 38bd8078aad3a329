"""Mailboxes on an IMAP server, as source and as destination."""
