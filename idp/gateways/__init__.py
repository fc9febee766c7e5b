"""The outside that is not storage: bcrypt, key files, embedded servers, the log."""
