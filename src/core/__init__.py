"""Holds the specification's import path; see `resource_management`."""
