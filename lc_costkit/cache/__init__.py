"""When may a stored answer stand for a new call?"""
