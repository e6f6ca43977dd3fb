"""Judge an evidence database, and show the judgement."""
