"""Layouts of a hub in which everything occurs that can be chosen."""

from collections.abc import Mapping
from dataclasses import replace

from host.storage.aws.schema import CapacityMode, HubLayout

KEY = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
LAYOUT = HubLayout(hub="Orders")
PROVISIONED = replace(LAYOUT, capacity_mode=CapacityMode.PROVISIONED, read_units=7, write_units=9)
LAYOUTS: Mapping[str, HubLayout] = {
    "plain": LAYOUT,
    "provisioned": PROVISIONED,
    "with a key": replace(LAYOUT, kms_key_arn=KEY),
    "of many queues": replace(LAYOUT, wakeup_queues=3, tags={"team": "orders + payments"}),
    "of very many queues": replace(LAYOUT, wakeup_queues=11),
    "restored": replace(LAYOUT, table="funchost-Orders-restored", prefix="my_"),
}
