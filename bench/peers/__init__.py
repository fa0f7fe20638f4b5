"""The same work by others, side by side: see README.md here."""
