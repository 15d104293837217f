"""AWS as it really is: hosts, and the drivers, on an AWS that throttles, fails and goes away.

The table, the queues, time and the users are the simulator's (`tests/simulation`), and so are most
checks. What is rough here is AWS alone: no host dies, and every clock is right. `trouble.py` has
the kinds of trouble, `wire.py` and `hub.py` make them, `world.py` says what must hold.
"""
