"""The labs on disk: their manifest, guides, checks, and what proves them."""
