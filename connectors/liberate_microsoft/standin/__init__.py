"""A stand-in for Microsoft Graph on this machine."""
