"""Start any orchestrator of the app by its name."""

from bindings import DurableClient, HttpRequest, HttpResponse


async def main(req: HttpRequest, starter: DurableClient) -> HttpResponse:
    name = req.route_params["functionName"]
    instance_id = await starter.schedule_new_orchestration(name, input=req.json())
    return starter.create_check_status_response(req, instance_id)
