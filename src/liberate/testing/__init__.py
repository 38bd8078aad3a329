"""What a connector's author tests with: the conformance suite, faults and crashes."""
