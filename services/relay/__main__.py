from services.relay.app import relay_service
from services.web import serve

serve(relay_service())
