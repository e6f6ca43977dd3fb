from services.customers.app import customer_service
from services.sql_service import parts_from_environment
from services.web import serve

serve(customer_service(parts_from_environment()))
