"""The dashboard: pages for a browser, which ask the documented operations and nothing else.

The front end is in `static/`, as it is served: there is no build step (decision 79).
"""
