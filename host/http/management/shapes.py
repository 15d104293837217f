"""The shapes of what the webhooks answer.

Names of states and history events come from the code that writes them, so they cannot differ.
"""

from __future__ import annotations

from typing import Final

from bindings.client import RuntimeStatus
from bindings.waiting import WaitKind
from host.core.history import EVENT_TYPES
from host.engine.feed.events import FeedKind
from host.engine.job_records import JobAction, JobState
from host.http.shapes import (
    ANY,
    COUNT,
    FLAG,
    POSITIVE,
    SECONDS,
    TEXT,
    TIME,
    URL,
    JsonObject,
    Shape,
    list_of,
    object_of,
)

STATUS_NAMES = [status.value for status in RuntimeStatus]
FINISHED_NAMES = [status.value for status in RuntimeStatus if status.is_finished]
_EVENT_NAMES = [kind.__name__ for kind in EVENT_TYPES if kind.__name__ != "OrchestratorStarted"]

RUNTIME_STATUS = Shape("RuntimeStatus", {"type": "string", "enum": STATUS_NAMES})

HISTORY_EVENT = Shape(
    "HistoryEvent",
    object_of({"EventType": {"type": "string", "enum": _EVENT_NAMES}, "Timestamp": TIME}),
)

FEED_KINDS = [kind.value for kind in FeedKind]
MISSED = "missed"
"""The kind of event that says that some were left out."""

FAILURE = Shape(
    "Failure", object_of({"ErrorType": TEXT, "ErrorMessage": TEXT, "IsNonRetriable": FLAG})
)

_TEXT_OR_NULL = {"type": ["string", "null"]}
_NUMBER_OR_NULL = {"type": ["integer", "null"], "minimum": 0}
_TIME_OR_NULL = {"type": ["string", "null"], "format": "date-time"}

WAITING_FOR = Shape(
    "WaitingFor",
    object_of(
        {
            "kind": {"type": "string", "enum": [kind.value for kind in WaitKind]},
            "name": _TEXT_OR_NULL,
            "taskId": _NUMBER_OR_NULL,
            "since": _TIME_OR_NULL,
            "until": _TIME_OR_NULL,
            "attempt": _NUMBER_OR_NULL,
            "host": _TEXT_OR_NULL,
            "instanceId": _TEXT_OR_NULL,
            "reason": TEXT,
        },
        "reason",
    ),
)

TAGS: Final[JsonObject] = {"type": "object", "additionalProperties": TEXT}
"""Texts by name."""

STATUS = Shape(
    "Status",
    object_of(
        {
            "name": TEXT,
            "instanceId": TEXT,
            "runtimeStatus": RUNTIME_STATUS,
            "input": ANY,
            "customStatus": ANY,
            "output": ANY,
            "createdTime": TIME,
            "lastUpdatedTime": TIME,
            "tags": TAGS,
            "version": TEXT,
            "parentInstanceId": TEXT,
            "scheduledStartTime": TIME,
            "failureDetails": FAILURE,
            "blockedReason": TEXT | {"description": "Why an unfinished instance cannot go on."},
            "isQuarantined": {
                "const": True,
                "description": "Its code runs until a redrive no more.",
            },
            "historyEvents": list_of(HISTORY_EVENT),
            "waitingFor": list_of(WAITING_FOR),
        },
        "tags",
        "version",
        "parentInstanceId",
        "scheduledStartTime",
        "failureDetails",
        "blockedReason",
        "isQuarantined",
        "historyEvents",
        "waitingFor",
    ),
)

WHY = Shape(
    "Why",
    object_of(
        {
            "instanceId": TEXT,
            "runtimeStatus": RUNTIME_STATUS,
            "waitingFor": list_of(WAITING_FOR),
            "notShown": POSITIVE | {"description": "How many more there are."},
        },
        "notShown",
    ),
)

NEW_LINE = Shape(
    "NewInstanceLine",
    object_of(
        {
            "instanceId": TEXT,
            "input": ANY,
            "tags": TAGS,
        },
        "instanceId",
        "input",
        "tags",
    )
    | {"additionalProperties": False},
)

STARTED_LINE = Shape(
    "StartedLine",
    {
        "anyOf": [
            object_of(
                {"instanceId": TEXT, "replayed": FLAG, "existing": TEXT}, "replayed", "existing"
            ),
            object_of({"line": POSITIVE, "status": POSITIVE, "error": TEXT, "type": TEXT}),
        ]
    },
)

CHECK_STATUS = Shape(
    "CheckStatus",
    object_of(
        {
            "id": TEXT,
            "statusQueryGetUri": URL,
            "sendEventPostUri": URL,
            "terminatePostUri": URL,
            "purgeHistoryDeleteUri": URL,
            "restartPostUri": URL,
            "suspendPostUri": URL,
            "resumePostUri": URL,
        }
    ),
)

RAW_EVENT = Shape(
    "RawHistoryEvent",
    object_of({"EventType": TEXT, "EventId": {"type": "integer"}, "Timestamp": TIME}),
)

RAW_HISTORY = Shape("RawHistory", object_of({"historyEvents": list_of(RAW_EVENT)}))

COUNTS = Shape("Counts", object_of(dict.fromkeys(["total", *STATUS_NAMES], COUNT), *STATUS_NAMES))

HOST = Shape(
    "Host",
    object_of(
        {
            "id": TEXT,
            "version": TEXT | {"description": "Of funchost."},
            "appVersion": {"type": ["string", "null"]},
            "startedTime": TIME,
            "lastSeenTime": TIME
            | {
                "description": "When the host said what stands here: now if it answers, else up to "
                "two minutes ago."
            },
            "sessions": COUNT | {"description": "Orchestrations that it leads."},
            "activities": COUNT | {"description": "Activities that run or wait there."},
            "functions": list_of(TEXT),
            "moreFunctions": COUNT | {"description": "How many are not in `functions`."},
        }
    ),
)

_BY_STATUS = Shape("CountsByStatus", object_of(dict.fromkeys(STATUS_NAMES, COUNT), *STATUS_NAMES))
_OLDEST = {
    "anyOf": [object_of({"instanceId": TEXT, "name": TEXT, "createdTime": TIME}), {"type": "null"}]
}
_BY_MINUTE = list_of(COUNT) | {"minItems": 60, "maxItems": 60}

HUB_OVERVIEW = Shape(
    "HubOverview",
    object_of(
        {
            "counts": _BY_STATUS,
            "oldestRunning": _OLDEST,
            "oldestPending": _OLDEST,
            "recentFailures": list_of(
                object_of(
                    {
                        "error": TEXT,
                        "count": POSITIVE,
                        "latest": object_of(
                            {"instanceId": TEXT, "name": TEXT, "lastUpdatedTime": TIME}
                        ),
                    }
                )
            )
            | {"description": "The errors of most first."},
            "quarantined": COUNT,
            "hosts": COUNT,
            "series": object_of(
                {
                    "from": TIME,
                    "stepSeconds": SECONDS,
                    "started": _BY_MINUTE,
                    "failed": _BY_MINUTE | {"description": "Of those that were started then."},
                }
            ),
        }
    ),
)

HISTOGRAM = Shape(
    "Histogram",
    object_of(
        {
            "from": TIME,
            "to": TIME,
            "stepSeconds": SECONDS,
            "buckets": list_of(object_of({"counts": _BY_STATUS})),
        }
    ),
)

FEED_EVENT = Shape(
    "FeedEvent",
    object_of(
        {
            "kind": {"type": "string", "enum": [*FEED_KINDS, MISSED]},
            "instanceId": TEXT,
            "name": _TEXT_OR_NULL
            | {"description": "The orchestrator; null if it is not known, of an activity."},
            "runtimeStatus": RUNTIME_STATUS,
            "lastUpdatedTime": TIME,
            "activity": TEXT,
            "taskId": COUNT,
            "seconds": SECONDS | {"description": "How long the activity took."},
            "reason": TEXT | {"description": "Why it failed, or is quarantined."},
            "count": POSITIVE
            | {"description": "So many events of the instance, of which this is the last."},
            "kinds": list_of({"type": "string", "enum": FEED_KINDS})
            | {"description": "The kinds of all these."},
        },
        *("instanceId", "name", "runtimeStatus", "lastUpdatedTime", "activity", "taskId"),
        *("seconds", "reason", "count", "kinds"),
    ),
)

AUDIT_ENTRY = Shape(
    "AuditEntry",
    object_of(
        {
            "at": TIME,
            "who": TEXT
            | {"description": "The key's name; loopback, on a host without keys; link."},
            "what": TEXT | {"description": "The operation's id."},
            "target": TEXT | {"description": "What the path names."},
            "detail": TEXT | {"description": "What the query says, without keys."},
            "from": TEXT | {"description": "The address."},
            "outcome": {"enum": ["done", "begun", "refused", "failed"]},
            "status": COUNT | {"description": "That of the answer."},
        }
    ),
)

JOB = Shape(
    "Job",
    object_of(
        {
            "jobId": TEXT,
            "action": {"enum": [action.value for action in JobAction]},
            "state": {"enum": [state.value for state in JobState]},
            "matched": COUNT | {"description": "Found so far."},
            "done": COUNT,
            "failed": COUNT,
            "failures": list_of(object_of({"instanceId": TEXT, "reason": TEXT})),
            "createdTime": TIME,
            "endedTime": TIME,
        },
        "endedTime",
    ),
)
JOB_STARTED = Shape("JobStarted", object_of({"jobId": TEXT}))
MATCHED = Shape("Matched", object_of({"matched": COUNT}))

PURGED = Shape("Purged", object_of({"instancesDeleted": {"type": "integer", "minimum": 1}}))
