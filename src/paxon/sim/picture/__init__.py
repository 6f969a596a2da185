"""Recordings as pictures: a page to walk about in (``page``), and a drawing for documents (``drawing``).

Members are lines, letters are arrows, time runs to the right.  Nothing here knows what a rule is.
"""
