"""Writes tests/golden/chat.json: chat templates, conversations, and what transformers renders them to.

The templates are written for these tests, in the manners of the model families that people use: what each family asks of a
template engine (trimmed blocks, role checks that raise, dates, tools as JSON, macros, namespaces, generation blocks) stands
in one of them. `snippets` are single expressions on which template engines like to differ.

    python tests/golden/make_chat.py        (transformers 5.23, jinja2 3.1)
"""

import json
import pathlib
from datetime import datetime

from transformers.tokenization_utils_base import PreTrainedTokenizerBase
from transformers.utils import chat_template_utils

HERE = pathlib.Path(__file__).parent
NOW = datetime(2026, 3, 7, 9, 5, 2)


class FixedClock(datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW


chat_template_utils.datetime = FixedClock

# Each role in a frame of its own; a system message of the template's when the conversation has none.
CHATML = """
{%- for message in messages %}
    {%- if loop.first and message.role != 'system' %}
        {{- '<|im_start|>system\\nAnswer briefly and politely.<|im_end|>\\n' }}
    {%- endif %}
    {{- '<|im_start|>' ~ message['role'] ~ '\\n' + message['content'] | trim ~ '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""

# Roles in turns, checked; the system message goes into the first user turn.
LLAMA2 = """{% if messages[0]['role'] == 'system' %}
{% set system = '<<SYS>>\\n' + messages[0]['content'].strip() + '\\n<</SYS>>\\n\\n' %}
{% set turns = messages[1:] %}
{% else %}
{% set system = '' %}
{% set turns = messages %}
{% endif %}
{% for turn in turns %}
{% if (turn['role'] == 'user') != (loop.index0 % 2 == 0) %}
{{ raise_exception('Turns must alternate between user and assistant, beginning with user') }}
{% endif %}
{% if turn['role'] == 'user' %}
{{ bos_token + '[INST] ' + (system if loop.first else '') + turn['content'].strip() + ' [/INST]' }}{% elif turn['role'] == 'assistant' %}
{{ ' ' + turn['content'].strip() + ' ' + eos_token }}{% endif %}
{% endfor %}"""

# Headers, a date, tools written as indented JSON, tool calls and their results.
LLAMA3 = """{{- bos_token }}
{%- if not date is defined %}
    {%- set date = strftime_now("%d %b %Y") %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set instruction = messages[0]['content'] | trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set instruction = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{{- "Today: " + date + "\\n\\n" }}
{%- if tools is not none %}
    {{- "You may call one of these functions, as JSON.\\n\\n" }}
    {%- for tool in tools %}
        {{- tool | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
{%- endif %}
{{- instruction + "<|eot_id|>" }}
{%- for message in messages %}
    {%- if message.role == 'tool' or message.role == 'ipython' %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable and message.content is not string %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
        {{- "<|eot_id|>" }}
    {%- elif 'tool_calls' in message %}
        {%- if message.tool_calls | length != 1 %}
            {{- raise_exception("One function a message can be called, not " ~ message.tool_calls | length) }}
        {%- endif %}
        {%- set call = message.tool_calls[0].function %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n{"name": "' + call.name + '", ' }}
        {{- '"parameters": ' ~ (call.arguments | tojson) ~ '}<|eot_id|>' }}
    {%- else %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}"""

# The system message before the last user message; tools as one line of JSON before it.
MISTRAL = """{%- if messages[0].role == "system" %}
    {%- set system_message = messages[0].content %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- set user_messages = loop_messages | selectattr("role", "equalto", "user") | list %}
{%- set ns = namespace(index=0) %}
{%- for message in loop_messages if message.role in ["user", "assistant"] and not message.tool_calls %}
    {%- if (message.role == "user") != (ns.index % 2 == 0) %}
        {{- raise_exception("After the system message, user and assistant take turns") }}
    {%- endif %}
    {%- set ns.index = ns.index + 1 %}
{%- endfor %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message.role == "user" %}
        {%- if tools is not none and message == user_messages[-1] %}
            {{- "[AVAILABLE_TOOLS] " + tools | tojson + "[/AVAILABLE_TOOLS]" }}
        {%- endif %}
        {{- "[INST] " }}
        {%- if loop.last and system_message is defined %}
            {{- system_message + "\\n\\n" }}
        {%- endif %}
        {{- message.content + "[/INST]" }}
    {%- elif message.role == "assistant" %}
        {{- " " + message.content | trim + eos_token }}
    {%- elif message.role == "tool" %}
        {{- '[TOOL_RESULTS] {"content": ' ~ message.content | string ~ "}[/TOOL_RESULTS]" }}
    {%- else %}
        {{- raise_exception("Roles are user, assistant, tool, and system at the beginning") }}
    {%- endif %}
{%- endfor %}"""

# No system role; the assistant is called model.
GEMMA = """{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}
{% for message in messages %}
{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}
{% endif %}
{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}
{{ '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}
{% endfor %}
{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}
"""

# One line of output a role, untrimmed, ending in a token; blocks that are not trimmed by a minus.
ZEPHYR = """{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>\\n' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>\\n' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>\\n'  + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}
"""

# A template in one line, without minus signs.
PHI = (
    "{% for message in messages %}{% if message['role'] == 'system' and message['content'] %}"
    "{{'<|system|>\\n' + message['content'] + '<|end|>\\n'}}{% elif message['role'] == 'user' %}"
    "{{'<|user|>\\n' + message['content'] + '<|end|>\\n'}}{% elif message['role'] == 'assistant' %}"
    "{{'<|assistant|>\\n' + message['content'] + '<|end|>\\n'}}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}{% endif %}"
)

# A default system message, with Windows line ends in the template itself.
SMOLLM = (
    "{% for message in messages %}\r\n{% if loop.first and messages[0]['role'] != 'system' %}\r\n"
    "{{ '<|im_start|>system\\nYou are a small model.<|im_end|>\\n' }}\r\n{% endif %}\r\n"
    "{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}\r\n{% endfor %}\r\n"
    "{% if add_generation_prompt %}\r\n{{ '<|im_start|>assistant\\n' }}\r\n{% endif %}\r\n"
)

# What the assistant says is marked for training; the marks change nothing in the text.
GENERATION = """{# {% generation %} in a comment is no block #}
{%- for message in messages %}
    {%- if message.role == 'assistant' %}
        {{- '<|assistant|> {% generation %}' }}
        {%- generation %}
        {{- message.content + '<|end|>' }}
        {%- set inside = 'not seen outside' %}
        {%- endgeneration %}
        {{- inside }}
        {% generation %}
        {% endgeneration %}
    {%- else %}
        {{- '<|' + message.role + '|> ' + message.content }}{% generation -%}   {%- endgeneration +%}
    {%- endif %}
{% endfor %}
{% raw %}{% generation %}{% endraw %}
{%- if add_generation_prompt %}<|assistant|> {% endif %}"""

# Macros, keyword arguments, namespaces, slices backwards, thinking that is cut from earlier turns.
REASONING = """
{%- macro frame(role, text, close=true) -%}
    <{{ role }}>{{ text }}{{ '</' ~ role ~ '>' if close }}
{%- endmacro -%}
{%- macro parts(content) -%}
    {%- if content is string -%}
        {{- content -}}
    {%- elif content is sequence -%}
        {%- for part in content -%}
            {%- if part.type == 'text' -%}{{ part.text }}
            {%- elif part.type in ('image', 'image_url') -%}<image>
            {%- else -%}{{ raise_exception('A part of type ' ~ part.type ~ ' cannot be shown') }}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro -%}
{%- set ns = namespace(last_query=messages | length - 1, seen=false) -%}
{%- for message in messages[::-1] -%}
    {%- if not ns.seen and message.role == 'user' -%}
        {%- set ns.last_query = messages | length - 1 - loop.index0 -%}
        {%- set ns.seen = true -%}
    {%- endif -%}
{%- endfor -%}
{%- for message in messages -%}
    {%- set text = parts(message.content) -%}
    {%- if message.role == 'assistant' -%}
        {%- set thought = '' -%}
        {%- if message.reasoning_content is string -%}
            {%- set thought = message.reasoning_content -%}
        {%- elif '</think>' in text -%}
            {%- set thought = text.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') -%}
            {%- set text = text.split('</think>')[-1].lstrip('\\n') -%}
        {%- endif -%}
        {%- if loop.index0 > ns.last_query and (loop.last or thought) -%}
            {%- set text = '<think>\\n' ~ thought.strip('\\n') ~ '\\n</think>\\n\\n' ~ text -%}
        {%- endif -%}
        {{- frame(message.role, text, close=not loop.last or not continue) -}}
    {%- elif message.role == 'tool' -%}
        {%- if loop.first or loop.previtem.role != 'tool' -%}<results>{%- endif -%}
        {{- frame('result', text) -}}
        {%- if loop.last or loop.nextitem.role != 'tool' -%}</results>{%- endif -%}
    {%- else -%}
        {{- frame(role=message.role, text=text) -}}
    {%- endif -%}
    {{- '\\n' -}}
    {%- if loop.index > 8 -%}{%- break -%}{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- '<assistant>' }}{{ '<think>\\n\\n</think>\\n\\n' if enable_thinking is defined and enable_thinking is false -}}
{%- endif -%}
"""

# Plain lines, no roles checked, no generation prompt: as simple as templates come.
LINES = "{% for m in messages %}{{ m.role | capitalize }}: {{ m.content }}{{ '\\n' if not loop.last }}{% endfor %}"

# A syntax error in line 3.
BROKEN = "{% for message in messages %}\n{{ message.content }}\n{% if message.role = 'user' %}!{% endif %}\n{% endfor %}"

TEMPLATES, ALL_CHATS, ALL_VARIABLES = {}, {}, {}

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "Tells the <weather> of a city & its \"mood\" – today's",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "days": {"type": "integer", "default": 1}, "empty": {}},
                "required": ["city"],
                "ratio": 0.1, "large": 1e16, "small": 1e-05, "whole": 2.0, "none": None, "yes": True, "list": [],
            },
        },
    }
]

GREETING = [{"role": "user", "content": "  Hello\nthere! "}]
WITH_SYSTEM = [{"role": "system", "content": " Be kind. "}, *GREETING]
TALK = [
    {"role": "system", "content": "You know the sea."},
    {"role": "user", "content": "Wie groß ist ein Wal? 🐋"},
    {"role": "assistant", "content": " Very big. "},
    {"role": "user", "content": "And <b>\"how\"</b> heavy?"},
]
PREFILLED = [*TALK[1:], {"role": "assistant", "content": "A blue whale weighs "}]
OUT_OF_TURN = [TALK[1], TALK[3]]
CALLS = [
    {"role": "user", "content": "Rain in Ulm?"},
    {
        "role": "assistant", "content": None,
        "tool_calls": [{"type": "function", "function": {"name": "weather", "arguments": {"city": "Ulm", "days": 2}}}],
    },
    {"role": "tool", "content": {"rain": True, "mm": 3.5}},
]
THOUGHTS = [
    {"role": "user", "content": [{"type": "text", "text": "Look: "}, {"type": "image"}]},
    {"role": "assistant", "content": "<think>\nA cat?\n</think>\n\nA cat."},
    {"role": "user", "content": "Sure?"},
    {"role": "assistant", "content": "Let me see.", "reasoning_content": "\nIt has whiskers.\n"},
    {"role": "tool", "content": "cat: 0.9"},
    {"role": "tool", "content": "dog: 0.1"},
]

CHATS = {"greeting": GREETING, "with system": WITH_SYSTEM, "talk": TALK, "out of turn": OUT_OF_TURN}
FAMILIES = {
    "chatml": CHATML, "llama 2": LLAMA2, "llama 3": LLAMA3, "mistral": MISTRAL, "gemma": GEMMA, "zephyr": ZEPHYR,
    "phi": PHI, "smollm": SMOLLM, "generation": GENERATION, "reasoning": REASONING, "lines": LINES, "broken": BROKEN,
}

# On the left of a snippet's output stand `s` (a text), `n` (None), `xs` (a list), `d` (a dict) and `big` (numbers).
VARIABLES = {
    "s": " Tom's \"hat\"\t\n", "n": None, "xs": [3, 1, 2], "d": {"b": 1, "a": [True, None, 1.5, "x'y"]},
    "big": [1e16, 1e-5, 123456789.125, 1.0, -0.0, 1e22, 3], "word": "Ärger", "lines": "a\r\nb\x0bc\n\nd\n",
}
SNIPPETS = [
    "{{ none }}|{{ n }}|{{ true }}|{{ False }}|{{ missing }}|{{ 1.0 }}|{{ 10 / 4 }}|{{ 7 // 2 }}|{{ -7 % 3 }}|{{ 2 ** 3 }}",
    "{{ d }}|{{ xs }}|{{ (1, 'a') }}|{{ [] }}|{{ {} }}|{{ ['a\"b', \"a'b\", 'a\\nb'] }}",
    "{{ big }}|{{ big[0] }}|{{ big[1] }}|{{ big[2] }}|{{ big[4] }}|{{ big[5] }}",
    "{{ n ~ '' ~ true ~ 1.0 ~ d ~ xs }}",
    "{{ d | tojson }}|{{ xs | tojson(indent=2) }}|{{ '<&>\\'é\\u2028\\x7f🐋' | tojson }}|{{ [] | tojson(indent=2) }}",
    "{{ d | tojson(sort_keys=true) }}|{{ d | tojson(separators=(',', ':')) }}|{{ 'é🐋' | tojson(ensure_ascii=true) }}",
    "{{ big | tojson }}|{{ {1: 2, true: 3, none: 4, 1.5: 5} | tojson }}|{{ d | tojson(indent='--') }}",
    "{{ s.strip() }}|{{ s.lstrip() }}|{{ s.rstrip() }}|{{ 'xxaxx'.strip('x') }}|{{ s | trim }}|{{ 'a-b_'.strip('_-a') }}",
    "{{ lines.splitlines() }}|{{ lines.splitlines(true) }}|{{ lines.split() }}|{{ 'a,b,,c'.split(',') }}|{{ 'a,b,c'.split(',', 1) }}",
    "{{ 'a b'.title() }}|{{ word.upper() }}|{{ word.lower() }}|{{ 'aBC'.capitalize() }}|{{ 'aBC' | capitalize }}|{{ 'a bC' | title }}",
    "{{ 'abc'.startswith('ab') }}|{{ 'abc'.endswith(('x', 'c')) }}|{{ 'abcabc'.replace('b', 'X', 1) }}|{{ 'abc'.find('c') }}|{{ 'a'.join(['1', '2']) }}",
    "{{ d.items() | list }}|{{ d.keys() | list }}|{{ d.values() | list }}|{{ d.get('b') }}|{{ d.get('z') }}|{{ d.get('z', 7) }}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for k in d %}{{ k }}{% endfor %}{{ d | length }}{{ d | items | list }}",
    "{{ s is string }}{{ s is iterable }}{{ s is sequence }}{{ s is mapping }}{{ d is iterable }}{{ d is sequence }}{{ d is mapping }}",
    "{{ xs is sequence }}{{ n is none }}{{ 1 is number }}{{ 1 is integer }}{{ 1.0 is float }}{{ true is boolean }}{{ true is integer }}{{ true is number }}{{ missing is defined }}{{ missing is iterable }}",
    "{{ xs[-1] }}{{ xs[1:] }}{{ xs[::-1] }}{{ s[1:4] }}{{ s[::-1] }}{{ word[0] }}{{ xs[:-1] }}{{ xs[5:] }}{{ 'abc'[-1] }}",
    "{{ xs | sort }}|{{ xs | sort(reverse=true) }}|{{ xs | first }}|{{ xs | last }}|{{ xs | max }}|{{ xs | sum }}|{{ xs | join('-') }}|{{ xs | reverse | list }}|{{ [1, 1, 2] | unique | list }}",
    "{{ d | dictsort }}|{{ xs | map('string') | join(',') }}|{{ [{'a': 1}, {'a': 2}] | map(attribute='a') | list }}|{{ xs | select('gt', 1) | list }}|{{ xs | reject('odd') | list }}",
    "{{ missing | default('x') }}|{{ '' | default('x', true) }}|{{ n | default('x') }}|{{ '3' | int + 1 }}|{{ 'x' | int(5) }}|{{ '1.5' | float }}|{{ 3 | string + 'a' }}|{{ 2.5 | round }}|{{ -3 | abs }}",
    "{{ 1 if false }}|{{ 'a' if true else 'b' }}|{{ not '' }}|{{ [] or 'empty' }}|{{ 0 or n }}|{{ 'a' and 'b' }}|{{ {} and 1 }}",
    "{{ 1 < 2 < 3 }}|{{ 1 == 1.0 }}|{{ '1' == 1 }}|{{ 1 in xs }}|{{ 'b' in d }}|{{ 'om' in s }}|{{ 9 not in xs }}|{{ true == 1 }}|{{ [1] == [1] }}|{{ 'a' < 'b' }}",
    "{{ '-' * 3 }}|{{ [1] + [2] }}|{{ 'a' 'b' }}|{{ '\\x41\\u00e9\\n' }}|{{ 'it\\'s' }}|{{ 1_000 }}|{{ 1e3 }}",
    "{{ '%s is %d and %.2f' % ('x', 3, 1.5) }}", "{{ 'a'.ljust(3) }}", "{{ '%s' | format('a') }}|{{ '{} {}'.format('a', 1) }}",
    "{% set ns = namespace(a=1) %}{% for x in xs %}{% set ns.a = ns.a + x %}{% set a = x %}{% endfor %}{{ ns.a }}{{ a }}",
    "{% for x in xs %}{% if x == 1 %}{% continue %}{% endif %}{{ loop.index }}{{ loop.revindex }}{{ loop.length }}{{ loop.cycle('a', 'b') }}{% else %}none{% endfor %}",
    "{% for x in [] %}a{% else %}none{% endfor %}{% for x in xs if x > 1 %}{{ loop.index }}{{ loop.last }}{% endfor %}{% for x in missing %}{% endfor %}",
    "{% for a in xs recursive %}{{ a }}{% if a is iterable %}{{ loop(a) }}{% endif %}{% endfor %}{% for x in xs %}{{ loop.changed(x) }}{% endfor %}",
    "{% macro m(a, b='x') %}[{{ a }}{{ b }}{{ caller() if caller else '' }}]{% endmacro %}{{ m(1) }}{{ m(1, b=2) }}{% call m(3) %}c{% endcall %}{{ m() }}",
    "{% set x %} a {{ 1 }} {% endset %}[{{ x }}]{% set y | upper %}b{% endset %}{{ y }}{% filter upper %}c{% endfilter %}{% with z = 5 %}{{ z }}{% endwith %}{{ z }}",
    "  {% if true %}\n  a\n  {% endif %}\n  {# c #}\n b {%- if true -%}  c  {%- endif +%}\n{{ 1 }}\n{%+ if true %} d{% endif %}\n\n",
    "{{ dict(a=1, b=[2]) }}|{{ range(3) | list }}|{{ range(4, 0, -2) | list }}|{{ strftime_now('%Y-%m-%d %H:%M:%S %A %B %j %y %I %p %e %%') }}",
    "{{ 'a\nb\r\nc' | indent(2) }}|{{ 'a\nb' | indent(2, true) }}|{{ 'abc' | replace('b', '-') }}|{{ 'a b c' | wordcount }}|{{ '<a>' | e }}|{{ 'x' | safe }}",
    "{{ xs | batch(2) | list }}|{% for r, rs in [{'r': 1, 'v': 2}, {'r': 1, 'v': 3}] | groupby('r') %}{{ r }}{{ rs }}{% endfor %}|{{ 'abc' | list }}|{{ 'abc' | length }}|{{ n | string }}",
    "{{ ' a '.strip() == 'a' }}|{{ 'a'.isdigit() }}|{{ '12'.isdigit() }}|{{ 'ab'.isalpha() }}|{{ 'a'.isupper() }}|{{ 'abab'.count('ab') }}|{{ 'a' in ['a'] }}|{{ xs.index(1) }}|{{ 'a-b'.partition('-') }}",
    "{{ '\x1c a \x1f'.strip() | length }}|{{ '\x1c a' | trim | length }}|{{ 'a\x1cb'.split() }}|{{ 'x'.removeprefix('x') }}|{{ 'abc'.removesuffix('c') }}",
    "{{ missing.field }}", "{{ missing() }}", "{{ 'a' + 1 }}", "{{ n + 1 }}", "{{ n.x }}|{{ n['x'] }}|{{ d.zzz }}|{{ xs[9] }}|{{ s.nope }}", "{{ s.nope() }}",
    "{{ xs.append(4) }}", "{{ d.update({'c': 1}) }}", "{{ n | length }}", "{% for x in n %}{% endfor %}", "{{ 1 / 0 }}", "{{ d | nofilter }}",
    "{{ d is notest }}", "{% unknown %}", "{% if true %}", "{{ 'open }}", "{# open", "{{ raise_exception('own words: ' ~ 1) }}",
    "{% set d.x = 1 %}", "{{ s.__class__ }}", "{{ 'a' | tojson(nope=1) }}", "{% generation %}", "{% endgeneration %}",
]


def render(template, messages, **options):
    tokens = {"bos_token": "<s>", "eos_token": "</s>"}
    return PreTrainedTokenizerBase(chat_template=template, **tokens).apply_chat_template(
        messages, tokenize=False, **options
    )


def key(table, value):
    """The name of a value in a table; tables keep the file small."""
    for name, known in table.items():
        if known == value:
            return name
    table[str(len(table))] = value
    return str(len(table) - 1)


def case(name, template, messages, **options):
    entry = {"name": name, "template": key(TEMPLATES, template), "chat": key(ALL_CHATS, messages)}
    entry["ending"] = (
        "continue_final" if options.get("continue_final_message")
        else "generation_prompt" if options.get("add_generation_prompt") else "closed"
    )
    variables = {k: v for k, v in options.items() if k not in ("continue_final_message", "add_generation_prompt")}
    entry["variables"] = key(ALL_VARIABLES, variables)
    try:
        entry["text"] = render(template, messages, **options)
    except Exception as error:  # noqa: BLE001 whatever transformers refuses with, Fovea must refuse too
        entry["error"] = str(error)
        entry["raised"] = type(error).__name__ == "TemplateError"
        entry["line"] = getattr(error, "lineno", None)
    return entry


def cases():
    for family, template in FAMILIES.items():
        for chat, messages in CHATS.items():
            yield case(f"{family}: {chat}", template, messages, add_generation_prompt=True)
        yield case(f"{family}: closed", template, TALK[1:], add_generation_prompt=False)
        yield case(f"{family}: continued", template, PREFILLED, continue_final_message=True)
    for family in ["llama 3", "mistral"]:
        yield case(f"{family}: tools", FAMILIES[family], GREETING, tools=TOOLS, add_generation_prompt=True)
        yield case(f"{family}: tool calls", FAMILIES[family], CALLS, tools=TOOLS, add_generation_prompt=True)
    yield case("llama 3: a date of its own", LLAMA3, GREETING, date="1 Jan 2000")
    yield case("reasoning: thoughts and tools", REASONING, THOUGHTS, add_generation_prompt=True, enable_thinking=False)
    yield case("reasoning: parts", REASONING, THOUGHTS[:1], add_generation_prompt=True)
    yield case("chatml: empty", CHATML, [])
    yield case("gemma: continue a message that is dropped", PHI, [{"role": "critic", "content": "No."}], continue_final_message=True)
    for cut in ["A ", "A\n", "A", " A", "", "A  B "]:
        tail = [*TALK[1:], {"role": "assistant", "content": cut}]
        yield case(f"chatml: continue {cut!r}", CHATML, tail, continue_final_message=True)
        yield case(f"zephyr: continue {cut!r}", ZEPHYR, tail, continue_final_message=True)
    for number, template in enumerate(SNIPPETS):
        yield case(f"snippet {number}: {template[:40]}", template, GREETING, **VARIABLES)


if __name__ == "__main__":
    rendered = list(cases())
    written = {
        "now": NOW.isoformat(), "templates": TEMPLATES, "chats": ALL_CHATS, "variables": ALL_VARIABLES, "cases": rendered,
    }
    path = HERE / "chat.json"
    path.write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    failed = sum("error" in entry for entry in rendered)
    print(f"{len(rendered)} cases, {failed} of them refused, {path.stat().st_size // 1024} KiB")
