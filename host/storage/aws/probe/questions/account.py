"""How this machine reaches AWS: endpoints, clocks, credentials."""

from __future__ import annotations

import os

from host.storage.aws.probe.ground import Ground, another_way
from host.storage.aws.probe.records import Question, Seen, judged, unknown
from host.storage.aws.wire.transport import Failure, Request, TransportError

_MAX_SKEW_S = 1.0
_METADATA = "http://169.254.169.254"
_PATIENCE_S = 2.0


async def _endpoints(ground: Ground) -> Seen:
    config, boto = ground.config, ground.boto
    pairs = [
        (config.dynamodb.url, str(boto.dynamodb.meta.endpoint_url).rstrip("/")),
        (config.sqs.url, str(boto.sqs.meta.endpoint_url).rstrip("/")),
    ]
    different = [f"{ours} against {theirs}" for ours, theirs in pairs if ours != theirs]
    return judged(
        ", ".join(different) or f"the same: {config.dynamodb.url}, {config.sqs.url}",
        as_expected=not different,
    )


async def _clock_skew(ground: Ground) -> Seen:
    ahead_s = ground.way.clock_ahead_s
    if ahead_s is None:
        return unknown("the answers have no Date")
    if abs(ahead_s) < _MAX_SKEW_S:
        return judged("less than a second", as_expected=True)
    word = "ahead of" if ahead_s > 0 else "behind"
    return judged(f"{abs(ahead_s):.0f} s {word} AWS", as_expected=False)


async def _instance_metadata(ground: Ground) -> Seen:
    if os.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        return unknown("AWS_EC2_METADATA_DISABLED is set")
    url = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or _METADATA
    headers = {"x-aws-ec2-metadata-token-ttl-seconds": "60"}
    request = Request("PUT", f"{url.rstrip('/')}/latest/api/token", headers, b"", _PATIENCE_S)
    async with another_way(ground) as way:
        try:
            response = await way(request)
        except TransportError as error:
            return _unreached(error)
    if response.status != 200:
        return unknown(f"there is another service at {url}: status {response.status}")
    return judged("it gives tokens", as_expected=True)


def _unreached(error: TransportError) -> Seen:
    if error.failure is Failure.NOT_CONNECTED:
        return unknown("there is no such service here: no instance of EC2")
    return judged("it is reached, and its token is not: the hop limit is 1", as_expected=False)


QUESTIONS = (
    Question(
        name="endpoints",
        asks="Do hosts and commands reach the same endpoints (FIPS, dual-stack, own ones)?",
        expected="the same",
        otherwise="hosts look for the hub where the command did not make it: set the endpoint URLs",
        relied_on_by=["host.storage.aws.wire.endpoints:resolve"],
        ask=_endpoints,
    ),
    Question(
        name="instance-metadata",
        asks="Can credentials of an instance be fetched from here (hop limit of its metadata)?",
        expected="yes, where hosts run on instances",
        otherwise="in containers, raise the hop limit to 2 (aws ec2"
        " modify-instance-metadata-options --http-put-response-hop-limit 2), or use a task role",
        relied_on_by=["host.storage.aws.wire.credentials:NO_KEYS"],
        ask=_instance_metadata,
    ),
    Question(
        name="clock-skew",
        asks="How far is this machine's clock from that of AWS?",
        expected="less than a second",
        otherwise="synchronise the clock: timers ring as far off, and from five minutes on AWS"
        " refuses signatures",
        relied_on_by=["host.storage.aws.wire.signing:Signer"],
        ask=_clock_skew,
    ),
)
