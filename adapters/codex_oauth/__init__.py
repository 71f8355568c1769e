"""codex-oauth"""
