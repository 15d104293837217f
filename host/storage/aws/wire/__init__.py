"""How the host speaks to AWS: signed calls over HTTP, their retries and their errors."""
