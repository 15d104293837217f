"""Where a hub is kept: the contract in `protocol`, its drivers beside it, `factory` to choose one."""
