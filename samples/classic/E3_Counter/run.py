"""A counter for each key: signals add to it, and it can be read by whoever calls it."""

from funchost import EntityContext


def main(context: EntityContext) -> None:
    count = context.get_state(lambda: 0)
    if context.operation_name == "add":
        count += context.get_input()
    elif context.operation_name == "reset":
        count = 0
    context.set_state(count)
    context.set_result(count)
