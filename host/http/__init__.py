"""HTTP: triggered functions, the management webhooks, administration and health, over aiohttp."""
