"""The Order History service: a CQRS view of customers and their orders, built in Redis from the events of both services.

https://microservices.io/patterns/data/cqrs.html
"""
