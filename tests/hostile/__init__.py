"""What a hostile client or file does, and what it must not reach."""
