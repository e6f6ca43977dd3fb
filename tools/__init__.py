"""Tools that maintain this repository."""
