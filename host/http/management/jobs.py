"""Jobs: one action on every instance that the filters of a list find, done in the background."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web

from bindings.errors import InvalidArgumentError
from host.core import arguments
from host.core.arguments import MAX_PAGE_SIZE
from host.core.history import Payload
from host.core.history_json import time_to_json
from host.engine.job_records import Job, JobAction
from host.http import answers, parameters
from host.http.access import Need
from host.http.management.choosing import refuse_unsure
from host.http.management.links import WEBHOOKS
from host.http.management.looking import CONTINUATION, DEFAULT_PAGE_SIZE, FILTERS, TOP, wanted
from host.http.management.purging import THEIRS_BELOW
from host.http.management.room import Management, webhook
from host.http.management.shapes import JOB, JOB_STARTED, MATCHED
from host.http.management.steering import ALL_BELOW, ALSO_BELOW, REASON
from host.http.operations import ANY_JSON, Answer, Asked, Body, Operation, answer
from host.http.parameters import DRY_RUN, Parameter, in_path
from host.http.shapes import ERROR, list_of

MAX_BODY_BYTES = 64 * 1024
"""What a job keeps is written again with each page."""

ALL = parameters.flag("all", "Without any filter: all instances are meant.", default=False)
JOB_ID = in_path("job_id", "a job's id")

_DEEP: Mapping[JobAction, Parameter[bool]] = {
    JobAction.TERMINATE: ALL_BELOW,
    JobAction.SUSPEND: ALSO_BELOW,
    JobAction.RESUME: ALSO_BELOW,
    JobAction.PURGE: THEIRS_BELOW,
}
"""What says of an order whether sub-orchestrations are meant, too."""


async def start(here: Management, asked: Asked) -> web.Response:
    """Start a job, or say what it would be about."""
    action = _ACTIONS[asked.operation.id]
    refuse_unsure(asked)
    _refuse_unsaid(asked)
    if not asked[ALL] and not any(asked[each] for each in FILTERS):
        raise InvalidArgumentError(
            "No filter says which instances are meant. Give one, or all=true for all of them."
        )
    filter_ = here.instances.filter_of(wanted(asked))
    reason = await _reason(here, asked, action)
    deep = _DEEP.get(action)
    recursive = deep is not None and asked[deep]
    if asked[DRY_RUN]:
        return answers.json_answer({"matched": await here.jobs.count(action, filter_)})
    job = await here.jobs.start(action, filter_, reason=reason, recursive=recursive)
    headers = {"Location": f"{asked.call.origin}{WEBHOOKS}/jobs/{job.job_id}"}
    return answers.json_answer({"jobId": job.job_id}, HTTPStatus.ACCEPTED, headers)


async def show(here: Management, asked: Asked) -> web.Response:
    """How far a job is."""
    return answers.json_answer(_job_to_json(await here.jobs.find(asked[JOB_ID])))


async def show_page(here: Management, asked: Asked) -> web.Response:
    """One page of jobs; the token of the next one is in a header."""
    size = min(asked[TOP] or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
    page = await here.jobs.page(asked[CONTINUATION], size)
    return answers.json_answer(
        [_job_to_json(job) for job in page.jobs], headers={CONTINUATION.name: page.token or ""}
    )


async def cancel(here: Management, asked: Asked) -> web.Response:
    """Let a job do no more."""
    job = await here.jobs.cancel(asked[JOB_ID])
    return answers.json_answer(_job_to_json(job), HTTPStatus.ACCEPTED)


def _refuse_unsaid(asked: Asked) -> None:
    """An option that is empty (a variable of a script, perhaps) or said twice says nothing."""
    for option in (ALL, DRY_RUN):
        said = [
            text for name, text in asked.call.query.fields if name.lower() == option.name.lower()
        ]
        if len(said) > 1 or said == [""]:
            raise InvalidArgumentError(f"'{option.name}' is to be said once: true or false.")


async def _reason(here: Management, asked: Asked, action: JobAction) -> Payload:
    """What the order says: of a termination JSON, of others a text."""
    match action:
        case JobAction.PURGE | JobAction.REDRIVE:
            return None
        case JobAction.TERMINATE:
            body = await asked.body(MAX_BODY_BYTES)
            payload = here.converter.check_json(body, "The request's body")
            if payload is None:
                return here.converter.to_payload(asked[REASON], "The reason")
            if asked[REASON] is not None:
                raise InvalidArgumentError(
                    "The reason is in the query and in the body: say it once."
                )
            return payload
        case _:
            return arguments.reason(asked[REASON])


def _job_to_json(job: Job) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "jobId": job.job_id,
        "action": job.action.value,
        "state": job.state.value,
        "matched": job.matched,
        "done": job.done,
        "failed": job.failed,
        "failures": [
            {"instanceId": each.instance_id, "reason": each.reason} for each in job.failures
        ],
        "createdTime": time_to_json(job.created_at),
    }
    if job.ended_at is not None:
        shown["endedTime"] = time_to_json(job.ended_at)
    return shown


_WHAT: Mapping[JobAction, str] = {
    JobAction.TERMINATE: "Stop many instances.",
    JobAction.SUSPEND: "Hold many instances.",
    JobAction.RESUME: "Let many suspended instances go on.",
    JobAction.REWIND: "Let many failed instances go on.",
    JobAction.PURGE: "Delete many finished instances.",
    JobAction.REDRIVE: "Try many quarantined instances anew.",
}
_TOO_LARGE = answer(f"The body is larger than {MAX_BODY_BYTES // 1024} KiB.", ERROR)
_UNKNOWN_JOB = answer("There is no such job, or none any more.", ERROR)
_STARTED: Mapping[int, Answer] = {
    200: answer("With dryRun: how many there are.", MATCHED),
    202: answer("A job does it; the Location tells how far it is.", JOB_STARTED, "Location"),
}


def _batch(action: JobAction) -> Operation[Management]:
    deep = _DEEP.get(action)
    of_order = () if action in {JobAction.PURGE, JobAction.REDRIVE} else (REASON,)
    of_order = of_order if deep is None else (*of_order, deep)
    takes_body = action is JobAction.TERMINATE
    return webhook(
        id=f"batch{action.value.capitalize()}",
        verb="POST",
        path=f"batch/{action.value}",
        summary=_WHAT[action],
        access=Need.OPERATE,
        parameters=(*FILTERS, ALL, DRY_RUN, *of_order),
        body=Body(text="Their output, in place of the reason.", form=ANY_JSON)
        if takes_body
        else None,
        answers={**_STARTED, 413: _TOO_LARGE} if takes_body else _STARTED,
        handler=start,
    )


_BATCHES = {action: _batch(action) for action in JobAction}
_ACTIONS = {operation.id: action for action, operation in _BATCHES.items()}

OPERATIONS = (
    *_BATCHES.values(),
    webhook(
        id="listJobs",
        verb="GET",
        path="jobs",
        summary="One page of jobs, the newest first: those that run, and those of seven days.",
        access=Need.READ,
        parameters=(TOP, CONTINUATION),
        answers={
            200: answer(
                "A page; the header has the token of the next one, empty after the last.",
                list_of(JOB),
                CONTINUATION.name,
            )
        },
        handler=show_page,
    ),
    webhook(
        id="getJob",
        verb="GET",
        path="jobs/{job_id}",
        summary="How far a job is.",
        access=Need.READ,
        parameters=(JOB_ID,),
        answers={200: answer("The job.", JOB), 404: _UNKNOWN_JOB},
        handler=show,
    ),
    webhook(
        id="cancelJob",
        verb="DELETE",
        path="jobs/{job_id}",
        summary="Let a job do no more; what it has begun, up to a hundred instances, it finishes.",
        access=Need.OPERATE,
        parameters=(JOB_ID,),
        answers={
            202: answer("No more is done.", JOB),
            404: _UNKNOWN_JOB,
            410: answer("All of it is done.", ERROR),
        },
        handler=cancel,
    ),
)
