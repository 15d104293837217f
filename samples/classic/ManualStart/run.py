"""Start the sequence by hand: what goes to the client's output binding is started on return."""

from funchost import Out


def main(instance_id: str, starter: Out[list[dict[str, str]]]) -> None:
    starter.set([{"FunctionName": "E1_HelloSequence", "InstanceId": instance_id}])
