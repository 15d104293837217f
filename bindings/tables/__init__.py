"""Rows of tables: their values, how they are found, and what of them authors see."""
