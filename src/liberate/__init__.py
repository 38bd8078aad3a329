"""liberate moves an organisation's data out of Big Tech by resumable, checksummed jobs."""
