"""What authors test their functions with: an app in process, on a clock that tests move."""
