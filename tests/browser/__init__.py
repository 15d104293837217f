"""Tests of the dashboard in a headless Chromium: what a person sees, and can do."""
