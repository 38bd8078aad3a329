"""The connector for Matrix: chat, written through an application service of the homeserver."""
