"""Start any orchestrator of the app by its name."""

from funchost import DurableClient, FunctionNotFoundError, HttpRequest, HttpResponse


async def main(req: HttpRequest, starter: DurableClient) -> HttpResponse:
    name = req.route_params["functionName"]
    try:
        instance_id = await starter.schedule_new_orchestration(name, input=req.json())
    except FunctionNotFoundError:
        return HttpResponse(f"There is no orchestrator '{name}'.\n", status_code=404)
    return starter.create_check_status_response(req, instance_id)
