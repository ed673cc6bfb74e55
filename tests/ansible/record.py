# A callback that keeps what became of each task, as Ansible judged it: a JSON object a line, in $RECORD.
import json
import os

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "record"

    def keep(self, verdict, result):
        line = {"host": result.host.get_name(), "task": result.task.get_name(), "verdict": verdict, "result": result.result}
        with open(os.environ["RECORD"], "a") as record:
            record.write(json.dumps(line, default=str) + "\n")

    def v2_runner_on_ok(self, result):
        self.keep("ok", result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.keep("failed", result)

    def v2_runner_on_unreachable(self, result):
        self.keep("unreachable", result)

    def v2_runner_on_skipped(self, result):
        self.keep("skipped", result)
