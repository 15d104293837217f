"""What functions use besides the hub: queues, tables and blobs, wherever they are."""
