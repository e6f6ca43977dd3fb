from services.order_history.app import order_history_service
from services.web import serve

serve(order_history_service())
