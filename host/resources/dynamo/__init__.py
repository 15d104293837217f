"""Tables of DynamoDB that bindings name."""
