"""What a host is made of: the parts that `host/app.py` starts, each made from what it is given.

Rules of this room: what the command line says and what the settings say meets here, and nowhere
below. Who only asks what a host would be like (a command, the test kit) starts nothing by it.
"""
