"""A counter for each key: signals add to it, and it can be read by whoever calls it."""

from funchost import EntityContext


def main(context: EntityContext) -> None:
    count = context.get_state(lambda: 0)
    match context.operation_name:
        case "add":
            count += context.get_input()
            context.set_state(count)
        case "get":
            pass
        case "delete":
            context.delete_state()
        case other:
            raise ValueError(f"A counter has no operation '{other}'.")
    context.set_result(count)
