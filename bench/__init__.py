"""The benchmark: liberate beside its peers, on one machine in one run. Start it with `python -m bench`."""
