"""Nextcloud as a destination and a source of files."""
