"""Which part of AWS a region belongs to, by botocore's own list: no request is made.

Regions of China, GovCloud and the isolated clouds have other ARNs and other domains.
"""

from __future__ import annotations

import botocore.session
from botocore.exceptions import UnknownRegionError

_COMMON = "aws"


def partition_of(region: str) -> str:
    """The partition in ARNs, e.g. `aws-cn`; `aws` for `*` and for what botocore does not know."""
    try:
        return str(botocore.session.Session().get_partition_for_region(region))
    except UnknownRegionError:
        return _COMMON


def domain_of(region: str) -> str:
    """What hosts' names of AWS end with there, e.g. `amazonaws.com.cn`."""
    resolver = botocore.session.Session().get_component("endpoint_resolver")
    return str(resolver.get_partition_dns_suffix(partition_of(region)))
