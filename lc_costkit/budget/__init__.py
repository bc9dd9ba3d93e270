"""Limits that hold: reserve the most a call can take, settle what it took."""
