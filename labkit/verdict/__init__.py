"""Judging an evidence database, and showing the judgement."""
