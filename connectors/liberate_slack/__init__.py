"""Slack: the export ZIP that its owner makes, as rooms of messages."""
