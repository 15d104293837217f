"""A hub as the items of one DynamoDB table."""
