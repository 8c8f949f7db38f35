"""What every room may use: errors, parts of a configuration, files that appear whole, locks.

It knows nothing of networks, training or figures.
"""
