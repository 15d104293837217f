"""The engine: takes wake-ups, leads orchestrations through turns, runs activities, fires timers."""
