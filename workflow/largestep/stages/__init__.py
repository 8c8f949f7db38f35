"""The command of each rule: read, call the library, write."""
