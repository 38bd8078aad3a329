"""A stand-in for Nextcloud on this machine."""
