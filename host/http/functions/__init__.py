"""The author's HTTP functions: routes, calls, responses, and what becomes of errors."""
