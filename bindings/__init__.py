"""What authors of functions import: decorators, contexts, tasks, the client and its records."""

from bindings.app import Blueprint, FunctionApp
from bindings.blobs import InputStream
from bindings.client import (
    DurableClient,
    ImportedInstance,
    ListOrder,
    OrchestrationQuery,
    OrchestrationState,
    Page,
    ReusePolicy,
    RuntimeStatus,
)
from bindings.combining import when_all, when_any
from bindings.context import OrchestrationContext
from bindings.critical_sections import CriticalSection, LockTask
from bindings.entities import Entity, EntityContext, EntityPage, EntityQuery, EntityState
from bindings.entity_cleaning import CleanEntityStorageResult
from bindings.entity_ids import EntityId
from bindings.entity_locks import EntityLockState, LockAsker
from bindings.errors import (
    AccessDeniedError,
    BlobNotFoundError,
    BlobTooLargeError,
    ClientError,
    DataMismatchError,
    EntityNotLockedError,
    FailureDetails,
    ForeignAwaitError,
    FunchostError,
    FunctionDefinitionError,
    FunctionNotFoundError,
    HostUnavailableError,
    HttpCallError,
    InboxFullError,
    InstanceAlreadyExistsError,
    InstanceNotFoundError,
    InstanceStateError,
    InvalidArgumentError,
    LockLostError,
    NonDeterminismError,
    OrchestrationError,
    PayloadTooLargeError,
    RemoteError,
    RequestBodyError,
    ResultMismatchError,
    RowExistsError,
    SerializationError,
    TaskCancelledError,
    TaskFailedError,
    TooManyWaitsError,
)
from bindings.events import EventStream, ServerSentEvent
from bindings.forms import FormFile
from bindings.http import AuthLevel, HttpRequest, HttpResponse
from bindings.http_calls import DurableHttpRequest, DurableHttpResponse
from bindings.invocation import FunctionContext, Out, RetryContext
from bindings.many import NewOrchestration, StartOutcome
from bindings.queues import BatchFailure, OutgoingQueueMessage, QueueMessage
from bindings.remote.client import RemoteClient
from bindings.remote.sync import SyncRemoteClient
from bindings.retry import RetryPolicy
from bindings.streams import StreamingRequest, StreamingResponse
from bindings.tasks import CancellableTask, DurableTask
from bindings.timers import TimerRequest
from bindings.token_sources import AwsSignature, ClientCredentials, SettingToken
from bindings.waiting import WaitingFor, WaitKind

__all__ = [
    "AccessDeniedError",
    "AuthLevel",
    "AwsSignature",
    "BatchFailure",
    "BlobNotFoundError",
    "BlobTooLargeError",
    "Blueprint",
    "CancellableTask",
    "CleanEntityStorageResult",
    "ClientCredentials",
    "ClientError",
    "CriticalSection",
    "DataMismatchError",
    "DurableClient",
    "DurableHttpRequest",
    "DurableHttpResponse",
    "DurableTask",
    "Entity",
    "EntityContext",
    "EntityId",
    "EntityLockState",
    "EntityNotLockedError",
    "EntityPage",
    "EntityQuery",
    "EntityState",
    "EventStream",
    "FailureDetails",
    "ForeignAwaitError",
    "FormFile",
    "FunchostError",
    "FunctionApp",
    "FunctionContext",
    "FunctionDefinitionError",
    "FunctionNotFoundError",
    "HostUnavailableError",
    "HttpCallError",
    "HttpRequest",
    "HttpResponse",
    "ImportedInstance",
    "InboxFullError",
    "InputStream",
    "InstanceAlreadyExistsError",
    "InstanceNotFoundError",
    "InstanceStateError",
    "InvalidArgumentError",
    "ListOrder",
    "LockAsker",
    "LockLostError",
    "LockTask",
    "NewOrchestration",
    "NonDeterminismError",
    "OrchestrationContext",
    "OrchestrationError",
    "OrchestrationQuery",
    "OrchestrationState",
    "Out",
    "OutgoingQueueMessage",
    "Page",
    "PayloadTooLargeError",
    "QueueMessage",
    "RemoteClient",
    "RemoteError",
    "RequestBodyError",
    "ResultMismatchError",
    "RetryContext",
    "RetryPolicy",
    "ReusePolicy",
    "RowExistsError",
    "RuntimeStatus",
    "SerializationError",
    "ServerSentEvent",
    "SettingToken",
    "StartOutcome",
    "StreamingRequest",
    "StreamingResponse",
    "SyncRemoteClient",
    "TaskCancelledError",
    "TaskFailedError",
    "TimerRequest",
    "TooManyWaitsError",
    "WaitKind",
    "WaitingFor",
    "when_all",
    "when_any",
]
