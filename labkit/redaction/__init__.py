"""Remove private data from text."""
