"""A hub's client for other programs: the methods of `DurableClient`, over HTTP.

Needs nothing of the host: aiohttp, what `bindings` needs, and Python. aiohttp is imported when a
client is made, so who imports only the programming model does not wait for it.
"""
