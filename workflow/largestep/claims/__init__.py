"""Every theorem and caption of the paper as a check that finished runs can fail.

It knows nothing of files and figures.
"""
