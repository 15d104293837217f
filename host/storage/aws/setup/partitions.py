"""What a region of AWS implies for names, by botocore's own lists: no request is made.

Regions of China, GovCloud and the isolated clouds have other ARNs and other domains.
"""

from __future__ import annotations

import botocore.session
from botocore.config import Config
from botocore.exceptions import UnknownRegionError

from host.errors import ConfigurationError

_COMMON = "aws"
_UNUSED = "unused"


def partition_of(region: str) -> str:
    """The partition in ARNs, e.g. `aws-cn`; `aws` for `*` and for what botocore does not know."""
    try:
        return str(botocore.session.Session().get_partition_for_region(region))
    except UnknownRegionError:
        return _COMMON


def public_sqs(region: str) -> str:
    """Where SQS is there for everybody, whatever endpoint is set: URLs of queues begin with it.

    Raises `ConfigurationError` for what cannot be the name of a region.
    """
    config = Config(
        ignore_configured_endpoint_urls=True,
        use_fips_endpoint=False,
        use_dualstack_endpoint=False,
    )
    try:
        client = botocore.session.Session().create_client(
            "sqs",
            region_name=region,
            aws_access_key_id=_UNUSED,
            aws_secret_access_key=_UNUSED,
            config=config,
        )
    except ValueError as error:  # botocore's own for a bad region is one, too
        raise ConfigurationError(f"'{region}' is not the name of an AWS region.") from error
    return str(client.meta.endpoint_url)
