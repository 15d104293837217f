"""The driver for DynamoDB and SQS. Nothing here is imported unless a hub on AWS is asked for."""
