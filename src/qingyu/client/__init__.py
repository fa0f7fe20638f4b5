"""Clients of the service: the methods, results and errors of a model, over HTTP."""

from qingyu.client.clients import AsyncClient, Client

__all__ = ["AsyncClient", "Client"]
