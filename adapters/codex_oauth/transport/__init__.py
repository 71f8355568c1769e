"""One HTTP request, sent or failed by a deadline: what a world uses, over httpx and httpcore.

`httpx_transport` is the way in; `backend`, `streams`, `dial`, `resolve` and `tls` are the network below it;
`failures` and `progress` say what a failure means.
"""
