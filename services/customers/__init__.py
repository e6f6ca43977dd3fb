"""The Customer service: customers, their credit limits, and the credit that orders have reserved."""
