from services.loyalty.handlers import SUBSCRIBER, order_events

from services.sql_service import parts_from_environment, subscribing_service
from services.web import serve

serve(subscribing_service("loyalty", [], SUBSCRIBER, order_events, parts_from_environment()))
