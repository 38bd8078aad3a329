"""Google Workspace and Gmail as a source."""
