"""Reports wait in redis until the worker writes them down."""

import json

import redis
from django.conf import settings


def connection():
    """A client for the queue's server."""
    return redis.Redis.from_url(settings.QUEUE_URL)


def put(report):
    """Queues one report."""
    connection().rpush(settings.QUEUE, json.dumps(report))


def take(client, seconds):
    """The oldest report, or None after that many seconds."""
    found = client.blpop([settings.QUEUE], timeout=seconds)
    return json.loads(found[1]) if found else None
