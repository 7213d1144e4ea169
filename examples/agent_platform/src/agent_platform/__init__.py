"""Runs AI agents for users and streams what they do over WebSockets."""
