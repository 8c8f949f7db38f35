"""What people look at: panels, figures, the page and its Markdown twin.

It knows nothing of training; it reads tables and verdicts.
"""
