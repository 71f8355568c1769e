"""Clients that people ask models with, made ready for a login: the OpenAI client, aiohttp, LangChain; and the
transport that translates for those that do not know the backend's rules.
"""
