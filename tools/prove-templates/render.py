"""Renders snippets with Python's jinja2, with the settings of transformers' chat_template_utils.py.

Reads {"context": ..., "templates": [...]} from stdin, writes [{"renders": ...} | {"fails": ...}] to stdout.
"""

import datetime
import json
import signal
import sys
import warnings

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

warnings.simplefilter("ignore")


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        call = self.call_method("_render")
        return jinja2.nodes.CallBlock(call, [], [], body).set_lineno(line)

    @jinja2.pass_eval_context
    def _render(self, context, caller):
        return caller()


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def give_up(*_):
    raise TimeoutError("too slow")


environment = ImmutableSandboxedEnvironment(
    trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
)
environment.filters["tojson"] = tojson
environment.globals["raise_exception"] = raise_exception
environment.globals["strftime_now"] = datetime.datetime(2026, 3, 4, 5, 6, 7).strftime
signal.signal(signal.SIGALRM, give_up)
job = json.load(sys.stdin)
context = json.dumps(job["context"])
results = []
for template in job["templates"]:
    signal.alarm(5)
    try:
        text = environment.from_string(template).render(**json.loads(context))
        text.encode()
        results.append({"renders": text})
    except BaseException as error:
        results.append({"fails": f"{type(error).__name__}: {error}"[:200]})
    signal.alarm(0)
json.dump(results, sys.stdout)
