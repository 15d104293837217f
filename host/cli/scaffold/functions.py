"""The functions that `funchost new` writes, by trigger: as code with decorators, and as folders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from host.cli.scaffold.schemas import schema_path


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A function with a trigger. NAME in its texts stands for the function's name."""

    imports: tuple[str, ...]
    code: str
    script: str
    """The module beside a function.json."""
    bindings: str
    """The bindings of the function.json."""
    next: str
    """What to do with it."""


TEMPLATES: Mapping[str, Template] = {
    "orchestration": Template(
        imports=("OrchestrationContext",),
        code='''\
@app.orchestration_trigger()
async def NAME(context: OrchestrationContext, order: str) -> str:
    """Only what is awaited of the context may differ from run to run."""
    answer: str = await context.wait_for_external_event("Approval", str)
    return f"{order}: {answer}"
''',
        script='''\
from funchost import OrchestrationContext


async def main(context: OrchestrationContext) -> str:
    """Only what is awaited of the context may differ from run to run."""
    answer: str = await context.wait_for_external_event("Approval", str)
    return f"{context.get_input()}: {answer}"
''',
        bindings='{ "name": "context", "type": "orchestrationTrigger", "direction": "in" }',
        next=(
            "funchost instances start NAME --input '\"a boat\"' --id one\n"
            "  funchost instances raise-event one Approval --data '\"yes\"'"
        ),
    ),
    "activity": Template(
        imports=(),
        code='''\
@app.activity_trigger()
def NAME(text: str) -> str:
    """Runs at least once for each call."""
    return text.upper()
''',
        script='''\
def main(text: str) -> str:
    """Runs at least once for each call."""
    return text.upper()
''',
        bindings='{ "name": "text", "type": "activityTrigger", "direction": "in" }',
        next='call it in an orchestrator: await context.call_activity("NAME", "hello")',
    ),
    "http": Template(
        imports=("HttpRequest", "HttpResponse"),
        code='''\
@app.route("NAME", methods=["GET", "POST"])
def NAME(req: HttpRequest) -> HttpResponse:
    """Answers requests."""
    return HttpResponse(f"Hello {req.params.get('name', 'world')}!")
''',
        script='''\
from funchost import HttpRequest, HttpResponse


def main(req: HttpRequest) -> HttpResponse:
    """Answers requests."""
    return HttpResponse(f"Hello {req.params.get('name', 'world')}!")
''',
        bindings=(
            '{ "name": "req", "type": "httpTrigger", "direction": "in", '
            '"methods": ["get", "post"] },\n'
            '    { "name": "$return", "type": "http", "direction": "out" }'
        ),
        next="curl 'http://localhost:7071/api/NAME?name=you'",
    ),
    "starter": Template(
        imports=("DurableClient", "HttpRequest", "HttpResponse"),
        code='''\
@app.route("NAME/{orchestrator}", methods=["POST"])
@app.orchestration_client("client")
async def NAME(req: HttpRequest, client: DurableClient) -> HttpResponse:
    """Starts an orchestration with the request's body, and answers where to look at it."""
    instance_id = await client.schedule_new_orchestration(
        req.route_params["orchestrator"], input=req.json()
    )
    return client.create_check_status_response(req, instance_id)
''',
        script='''\
from funchost import DurableClient, HttpRequest, HttpResponse


async def main(req: HttpRequest, client: DurableClient) -> HttpResponse:
    """Starts an orchestration with the request's body, and answers where to look at it."""
    instance_id = await client.schedule_new_orchestration(
        req.route_params["orchestrator"], input=req.json()
    )
    return client.create_check_status_response(req, instance_id)
''',
        bindings=(
            '{ "name": "req", "type": "httpTrigger", "direction": "in", '
            '"route": "NAME/{orchestrator}", "methods": ["post"] },\n'
            '    { "name": "$return", "type": "http", "direction": "out" },\n'
            '    { "name": "client", "type": "orchestrationClient", "direction": "in" }'
        ),
        next="curl -X POST http://localhost:7071/api/NAME/ORCHESTRATOR -d '\"its input\"'",
    ),
    "timer": Template(
        imports=("TimerRequest",),
        code='''\
@app.timer_trigger(schedule="0 */5 * * * *")
def NAME(timer: TimerRequest) -> None:
    """Runs every five minutes: second, minute, hour, day, month, day of the week."""
    print(f"Due at {timer.due_at:%H:%M}{', past due' if timer.past_due else ''}")
''',
        script='''\
from funchost import TimerRequest


def main(timer: TimerRequest) -> None:
    """Runs every five minutes."""
    print(f"Due at {timer.due_at:%H:%M}{', past due' if timer.past_due else ''}")
''',
        bindings=(
            '{ "name": "timer", "type": "timerTrigger", "direction": "in", '
            '"schedule": "0 */5 * * * *" }'
        ),
        next="funchost functions run NAME",
    ),
    "queue": Template(
        imports=("QueueMessage",),
        code='''\
@app.queue_trigger(queue_name="NAME")
def NAME(message: QueueMessage) -> None:
    """Runs at least once for each message."""
    print(f"{message.get_text()} (try {message.dequeue_count})")
''',
        script='''\
from funchost import QueueMessage


def main(message: QueueMessage) -> None:
    """Runs at least once for each message."""
    print(f"{message.get_text()} (try {message.dequeue_count})")
''',
        bindings=(
            '{ "name": "message", "type": "queueTrigger", "direction": "in", "queueName": "NAME" }'
        ),
        next="funchost queues put NAME hello",
    ),
    "blob": Template(
        imports=(),
        code='''\
@app.blob_trigger("text", path="incoming/{name}.txt")
@app.blob_output("$return", path="outgoing/{name}.txt")
def NAME(text: str) -> str:
    """Runs for each blob that is new or has changed, and writes another one."""
    return text.upper()
''',
        script='''\
def main(text: str) -> str:
    """Runs for each blob that is new or has changed, and writes another one."""
    return text.upper()
''',
        bindings=(
            '{ "name": "text", "type": "blobTrigger", "direction": "in", '
            '"path": "incoming/{name}.txt" },\n'
            '    { "name": "$return", "type": "blob", "direction": "out", '
            '"path": "outgoing/{name}.txt" }'
        ),
        next="while a host runs, in the app's folder: echo hello > .funchost/blobs/incoming/a.txt",
    ),
    "manual": Template(
        imports=(),
        code='''\
@app.generic_trigger(arg_name="text", type="manualTrigger")
def NAME(text: str | None) -> None:
    """Runs when a person asks for it."""
    print(f"Asked with {text}")
''',
        script='''\
def main(text: str | None) -> None:
    """Runs when a person asks for it."""
    print(f"Asked with {text}")
''',
        bindings='{ "name": "text", "type": "manualTrigger", "direction": "in" }',
        next="funchost functions run NAME --input '\"hello\"'",
    ),
}
"""By the word for the trigger."""


def function_json(template: Template, name: str) -> str:
    """The function.json of such a function."""
    schema = f"../{schema_path('function.json')}"
    bindings = template.bindings.replace("NAME", name)
    return f'{{\n  "$schema": "{schema}",\n  "bindings": [\n    {bindings}\n  ]\n}}\n'
