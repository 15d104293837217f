"""An account: its balance is its state."""

from funchost import EntityContext


def main(context: EntityContext) -> None:
    balance: int = context.get_state(lambda: 0)
    match context.operation_name:
        case "add":
            balance += context.get_input()
            context.set_state(balance)
        case "balance":
            pass
        case other:
            raise ValueError(f"An account has no operation '{other}'.")
    context.set_result(balance)
