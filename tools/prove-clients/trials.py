"""Python's openai and litellm: the same trials as those of JavaScript, a line of JSON on stdout for each."""

import json
import sys
import time
import urllib.request

import litellm
import openai
from pydantic import BaseModel, ConfigDict
from typing import Literal

url = sys.argv[1]
question = "Once upon a time"
messages = [{"role": "user", "content": question}]
long_messages = [{"role": "user", "content": "word " * 5000}]
city_schema = {
    "type": "object",
    "properties": {"city": {"enum": ["Rome", "Oslo"]}, "isLarge": {"type": "boolean"}},
    "required": ["city", "isLarge"],
    # What additionalProperties says, too: hosted_vllm/ of litellm leaves that word out.
    "maxProperties": 2,
}
tools = [
    {
        "type": "function",
        "function": {"name": "look_up", "description": "Facts of a city", "parameters": city_schema},
    }
]


class City(BaseModel):
    model_config = ConfigDict(json_schema_extra={"maxProperties": 2})
    city: Literal["Rome", "Oslo"]
    isLarge: bool


def check_city(value):
    city = City.model_validate_json(value) if isinstance(value, str) else City.model_validate(value)
    return city.model_dump_json()


def check_too_long(failing):
    try:
        failing()
    except Exception as error:
        said = str(error)
        assert "tokens" in said and "1024" in said, said
        return said[:100]
    raise AssertionError("nothing was refused")


def until_idle():
    deadline = time.time() + 5
    while time.time() < deadline:
        with urllib.request.urlopen(f"{url}/slots") as response:
            if not any(slot["is_processing"] for slot in json.load(response)):
                return "its place is free"
        time.sleep(0.02)
    raise AssertionError("an answer still runs five seconds after its client has gone")


def run(client, trials):
    for name, trial in trials.items():
        try:
            result = {"isRight": True, "found": str(trial())}
        except Exception as error:
            result = {"isRight": False, "found": f"{type(error).__name__}: {error}"}
        print(json.dumps({"client": client, "name": name, **result}), flush=True)


def openai_trials():
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
    greedy = {"model": "any", "messages": messages, "max_tokens": 12, "temperature": 0}
    create = client.chat.completions.create

    def answer_and_stream():
        whole = create(**greedy).choices[0].message.content
        stream = create(**greedy, stream=True)
        pieces = [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]
        assert "".join(pieces) == whole
        return json.dumps(whole)

    def tool_call():
        asked = {"tools": tools, "tool_choice": "required", "max_tokens": 100}
        message = create(model="any", messages=messages, **asked).choices[0].message
        result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "A city."}
        create(**{**greedy, "messages": [*messages, message, result]}, tools=tools)
        return check_city(message.tool_calls[0].function.arguments)

    def parse():
        asked = {**greedy, "max_tokens": 100, "response_format": City}
        return client.chat.completions.parse(**asked).choices[0].message.parsed.model_dump_json()

    def responses():
        asked = {"model": "any", "input": question, "max_output_tokens": 100, "text_format": City}
        return client.responses.parse(**asked).output_parsed.model_dump_json()

    def embeddings():
        return f'{len(client.embeddings.create(model="any", input=["a"]).data[0].embedding)} numbers'

    def completions():
        asked = {"model": "any", "prompt": question, "max_tokens": 5, "logprobs": 2, "echo": True}
        choice = client.completions.create(**asked).choices[0]
        assert len(choice.logprobs.tokens) > 5
        return json.dumps(choice.text)

    def left():
        stream = create(**{**greedy, "max_tokens": 900}, stream=True)
        for _ in range(3):
            next(stream)
        stream.close()
        return until_idle()

    return {
        "answer and stream": answer_and_stream,
        "a tool that must be called, and its result": tool_call,
        "parse with pydantic": parse,
        "responses.parse": responses,
        "embeddings": embeddings,
        "completions": completions,
        "a prompt that is too long": lambda: check_too_long(
            lambda: create(**{**greedy, "messages": long_messages})
        ),
        "a stream that is left": left,
    }


def litellm_trials(prefix, base, can_force):
    common = {"model": f"{prefix}/any", "api_base": base, "api_key": "none", "num_retries": 0}
    greedy = {**common, "messages": messages, "max_tokens": 12, "temperature": 0}

    def answer_and_stream():
        whole = litellm.completion(**greedy).choices[0].message.content
        stream = litellm.completion(**greedy, stream=True)
        pieces = [chunk.choices[0].delta.content or "" for chunk in stream]
        assert "".join(pieces) == whole, (pieces, whole)
        return json.dumps(whole)

    def form():
        asked = {**greedy, "max_tokens": 200, "response_format": City}
        return check_city(litellm.completion(**asked).choices[0].message.content)

    def tool_call():
        asked = {**greedy, "max_tokens": 200, "tools": tools, "tool_choice": "required"}
        calls = litellm.completion(**asked).choices[0].message.tool_calls
        return check_city(calls[0].function.arguments)

    trials = {
        "answer and stream": answer_and_stream,
        "a form": form,
        "a prompt that is too long": lambda: check_too_long(
            lambda: litellm.completion(**{**greedy, "messages": long_messages})
        ),
    }
    return {**trials, "a tool that must be called": tool_call} if can_force else trials


litellm.suppress_debug_info = True
run("openai (Python)", openai_trials())
run("litellm openai/", litellm_trials("openai", f"{url}/v1", True))
run("litellm hosted_vllm/", litellm_trials("hosted_vllm", f"{url}/v1", True))
# Its tools are sent without either word: a small model writes properties until its limit.
run("litellm anthropic/", litellm_trials("anthropic", url, False))
run("litellm ollama_chat/", litellm_trials("ollama_chat", url, False))
