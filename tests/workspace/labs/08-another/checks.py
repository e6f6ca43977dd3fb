"""Checks of a lab of the tests own."""
