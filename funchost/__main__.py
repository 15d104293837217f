"""`python -m funchost` is the command `funchost`, too."""

import runpy

if __name__ == "__main__":
    runpy.run_module("host", run_name="__main__", alter_sys=True)  # authors import no host
