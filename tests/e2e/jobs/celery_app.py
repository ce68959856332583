"""A Celery application: `celery -A tests.e2e.jobs.celery_app worker`, with broker and results at $REDLOOP_TEST_URL."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery

from tests.e2e.jobs import work

URL = os.environ["REDLOOP_TEST_URL"]

app = Celery("jobs", broker=URL, backend=URL)
app.conf.broker_connection_retry_on_startup = True


def _succeed_at_second_try(task: Any, number: int) -> int:
    if not task.request.retries:
        raise task.retry(countdown=0)
    return number


square = app.task(work.square)
succeed_at_second_try = app.task(_succeed_at_second_try, bind=True, max_retries=3, name="tests.e2e.jobs.celery_app.succeed_at_second_try")
