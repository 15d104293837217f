"""Start one of the orchestrators that may be started from outside."""

from funchost import DurableClient, HttpRequest, HttpResponse

STARTABLE = frozenset({"E1_HelloSequence"})


async def main(req: HttpRequest, starter: DurableClient) -> HttpResponse:
    name = req.route_params["functionName"]
    if name not in STARTABLE:
        return HttpResponse(f"There is no orchestrator '{name}' to start.\n", status_code=404)
    instance_id = await starter.schedule_new_orchestration(name, input=req.json())
    return starter.create_check_status_response(req, instance_id)
