"""The simulator: the whole engine, several hosts, on virtual time, led into every fault by a seed.

One run is a function of its seed (and of what `--without` and `--only` take away from it): the same
seed gives the same trace. The parts, each in its file: `loop` (time), `processes` (who can die or
stand still), `faults` (what goes wrong and how often), `network` (the way to the hub), `tables`
and `queue` (the hub), `store` and `queues` (one host's drivers), `hosts`, `programs` (what is run),
`users` (who steers it), `oracle` and `checks` (what must hold), `world` (one run of all that).
"""
