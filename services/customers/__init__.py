"""The Customer service: customers, their credit limits, and the credit reserved for their orders."""
