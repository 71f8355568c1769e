"""One HTTP request, sent or failed by a deadline: what a world uses, over httpx and httpcore.

`httpx_transport` is the way in, and `network`, `dial` and `tls` are below it; `async_httpx_transport` is the
way in for asyncio and trio, over `async_network`. `failures` and `progress` say what a failure means.
"""
