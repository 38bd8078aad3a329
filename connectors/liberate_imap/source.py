"""A mailbox on an IMAP server, as a source."""
