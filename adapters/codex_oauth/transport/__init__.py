"""One HTTP request, sent or failed by a deadline: what a world uses, over httpx and httpcore.

`httpx_transport` is the way in; `backend`, `streams`, `dial`, `resolve` and `tls` are the network below it;
`async_httpx_transport` is the way in for asyncio and trio, over `async_bounded_transport`, `async_backend`
and `async_dial`. `failures` and `progress` say what a failure means.
"""
