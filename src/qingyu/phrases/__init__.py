"""Phrase memories: text counted, entries chosen and packed, their gate fitted."""
