"""The Loyalty service: points for approved orders."""
