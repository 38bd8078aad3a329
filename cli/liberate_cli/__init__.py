"""The command `liberate`: parses and prints; decides nothing."""
