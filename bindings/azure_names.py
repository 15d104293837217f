"""What Azure's Python packages name, and what to write here: for messages, in one place.

Whoever brings an app over meets these names one by one. Each text goes on after "has no attribute
'NAME': ". Names that are the same here are in no table. The page for authors is
`docs/how-to/come-from-azure.md`; a test holds the two together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_TRIGGERS = (
    "only HTTP, timer, queue, blob, orchestration and activity triggers come with the host: read "
    "from an activity, or let the sender call a function with a route"
)
_OUTPUTS = "there is no such binding: use the service's own library, in an activity"
_APPS = "there is one class of apps: use FunctionApp"
_FRAMEWORKS = "other web frameworks are not led: use FunctionApp and @app.route"

MODULE: Final[Mapping[str, str]] = {
    "AsgiFunctionApp": _FRAMEWORKS,
    "AsgiMiddleware": _FRAMEWORKS,
    "Context": "use FunctionContext",
    "DFApp": _APPS,
    "Document": _TRIGGERS,
    "DurableEntity": "use Entity",
    "DurableEntityContext": "use EntityContext",
    "DurableOrchestrationClient": "use DurableClient",
    "DurableOrchestrationContext": "use OrchestrationContext",
    "DurableOrchestrationStatus": "use OrchestrationState",
    "EventGridEvent": _TRIGGERS,
    "EventHubEvent": _TRIGGERS,
    "KafkaEvent": _TRIGGERS,
    "ManagedIdentityTokenSource": (
        "give call_http a ClientCredentials, a SettingToken or an AwsSignature as its token_source"
    ),
    "OrchestrationRuntimeStatus": "use RuntimeStatus",
    "Orchestrator": (
        "an orchestrator needs no Orchestrator.create: decorate the function itself with "
        "@app.orchestration_trigger(), or name it as 'entryPoint' in function.json"
    ),
    "RetryOptions": (
        "use RetryPolicy(first_retry_interval=timedelta(...), max_number_of_attempts=...)"
    ),
    "ServiceBusMessage": _TRIGGERS,
    "WsgiFunctionApp": _FRAMEWORKS,
    "WsgiMiddleware": _FRAMEWORKS,
}
"""Of `azure.functions` and `azure.durable_functions`."""

CONTEXT: Final[Mapping[str, str]] = {
    "call_activity_with_retry": "use call_activity(activity, input, retry_policy=RetryPolicy(...))",
    "call_sub_orchestrator_with_retry": (
        "use call_sub_orchestrator(orchestrator, input, retry_policy=RetryPolicy(...))"
    ),
    "custom_status": "use set_custom_status(value)",
    "function_context": "use FunctionContext, as a parameter of the activity",
    "histories": "ask the client, by get_instance_history",
    "new_guid": "use new_uuid()",
    "will_continue_as_new": "keep it in a variable of your own",
    "wait_for_event": "use wait_for_external_event(name)",
}
"""Of the orchestration context."""

CLIENT: Final[Mapping[str, str]] = {
    "get_client_response_links": "use create_http_management_payload(instance_id, request)",
    "get_orchestration_state": "use get_instance(instance_id)",
    "get_status": "use get_instance(instance_id), which gives None for an unknown id",
    "get_status_all": "use get_all_instances()",
    "get_status_by": "use query_instances(OrchestrationQuery(...))",
    "purge_instance_history": "use purge_instance(instance_id)",
    "purge_instance_history_by": "use purge_instances(OrchestrationQuery(...))",
    "purge_orchestration": "use purge_instance(instance_id)",
    "raise_orchestration_event": "use raise_event(instance_id, event_name, data)",
    "get_all_entities": "use query_entities(EntityQuery(...))",
    "read_entity_state": "use get_entity(entity_id), which gives None for an unknown one",
    "restart": "use restart_instance(instance_id)",
    "resume": "use resume_instance(instance_id)",
    "resume_orchestration": "use resume_instance(instance_id)",
    "rewind": "use rewind_instance(instance_id, reason)",
    "start_new": "use schedule_new_orchestration(orchestrator, input=..., instance_id=...)",
    "suspend": "use suspend_instance(instance_id)",
    "suspend_orchestration": "use suspend_instance(instance_id)",
    "terminate": "use terminate_instance(instance_id, reason)",
    "terminate_orchestration": "use terminate_instance(instance_id, reason)",
    "wait_for_orchestration_completion": "use wait_for_instance_completion(instance_id)",
    "wait_for_orchestration_start": "use wait_for_instance_start(instance_id)",
}
"""Of the client."""

APP: Final[Mapping[str, str]] = {
    "cosmos_db_input": _OUTPUTS,
    "cosmos_db_output": _OUTPUTS,
    "cosmos_db_trigger": _TRIGGERS,
    "event_grid_output": _OUTPUTS,
    "event_grid_trigger": _TRIGGERS,
    "event_hub_message_trigger": _TRIGGERS,
    "event_hub_output": _OUTPUTS,
    "kafka_output": _OUTPUTS,
    "kafka_trigger": _TRIGGERS,
    "mysql_input": _OUTPUTS,
    "mysql_output": _OUTPUTS,
    "mysql_trigger": _TRIGGERS,
    "service_bus_queue_output": _OUTPUTS,
    "service_bus_queue_trigger": _TRIGGERS,
    "service_bus_topic_output": _OUTPUTS,
    "service_bus_topic_trigger": _TRIGGERS,
    "sql_input": _OUTPUTS,
    "sql_output": _OUTPUTS,
    "sql_trigger": _TRIGGERS,
}
"""Of the app and its blueprints: the decorators."""

_SERVICES = (
    "cosmosdb",
    "eventgrid",
    "eventhub",
    "kafka",
    "mysql",
    "servicebus",
    "sql",
)
TYPES: Final[Mapping[str, str]] = {
    "tabletrigger": (
        "changes of a table trigger nothing: let who writes the row send a message or start an "
        "orchestration, or look at the table by a timer"
    ),
    **dict.fromkeys(_SERVICES, _OUTPUTS),
    **{f"{each}trigger": _TRIGGERS for each in _SERVICES},
}
"""Of bindings in a function.json: their types, in lower case."""

_ROOTS = ("azure", "durabletask")
_PACKAGE = (
    "of Azure's packages for functions none is needed: import what an app needs from funchost"
)


def missing(holder: str, name: str, hints: Mapping[str, str], obj: object) -> AttributeError:
    """The error for an attribute that `holder`, as a message names it, does not have."""
    hint = hints.get(name)
    text = f"{holder} has no attribute '{name}'"
    return AttributeError(f"{text}: {hint}." if hint else text, name=name, obj=obj)


def of_azure(kind: Any) -> str | None:
    """The name of this class or function if it comes from Azure's packages, else None."""
    module, name = getattr(kind, "__module__", None), getattr(kind, "__name__", None)
    if not isinstance(module, str) or not isinstance(name, str):
        return None
    return name if module.startswith(("azure.functions", "azure.durable_functions")) else None


def import_hint(error: BaseException) -> str | None:
    """What to say besides when an import fails that Azure's packages would have served."""
    if not isinstance(error, ImportError):
        return None
    root = (error.name or "").partition(".")[0]
    if isinstance(error, ModuleNotFoundError):
        return _PACKAGE if root in _ROOTS else None
    wanted = re.search(r"cannot import name '(\w+)'", str(error))
    return MODULE.get(wanted[1]) if root == "funchost" and wanted is not None else None


def instead_of(name: str) -> str:
    """What to write instead of one of Azure's classes, by its name."""
    return MODULE.get(name, f"import {name} from funchost")
