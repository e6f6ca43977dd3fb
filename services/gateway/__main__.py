from services.gateway.app import gateway
from services.web import serve

serve(gateway())
