"""What tests share: a manual clock, a history builder, a host in the test's own process."""
