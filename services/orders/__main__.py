from services.orders.app import order_service
from services.sql_service import parts_from_environment
from services.web import serve

serve(order_service(parts_from_environment()))
