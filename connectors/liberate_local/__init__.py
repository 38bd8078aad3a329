"""Mail and files on this machine: folder, Maildir, mbox and Google Takeout, .eml."""
