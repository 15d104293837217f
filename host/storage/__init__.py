"""Where a hub is kept: the contract in `protocol`, its drivers, `factory` to choose one."""
