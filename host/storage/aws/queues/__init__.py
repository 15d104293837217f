"""The hints of a hub as the messages of its SQS queues."""
