"""Writes tests/golden/expressions.json: single expressions of chat templates, and what Jinja2 makes of them in the environment that
transformers sets up for templates.

Every expression stands in `{{ … }}` and sees the variables below. A row is an expression and its text, or null where Jinja2
refuses it or writes where it lies in memory. Expressions are parted by ` ¦ `.

    python tests/golden/make_expressions.py        (transformers 5.24, jinja2 3.1)
"""

import json
import pathlib
import re
from datetime import datetime

from transformers.utils import chat_template_utils

HERE = pathlib.Path(__file__).parent
VARIABLES = {
    "xs": [3, 1, 2], "d": {"b": 1, "a": [1, 2], "c": None}, "s": "Hello wörld, it's <b>me</b>", "n": 7, "f": 2.5, "neg": -3,
    "nul": None, "t": True, "rows": [{"r": 1, "v": "a"}, {"r": 2, "v": "B"}, {"r": 1, "v": "c"}],
    "long": "The quick brown fox jumps over the lazy dog, again and again, until it stops.",
    "items": [["x", 1], ["y", 2]], "mixed": ["b", "A", "c", "a"], "text": "  one two\n three  ", "schema": {"items": {"type": "x"}},
}

EXPRESSIONS = r"""
'%s' % n ¦ '%s' % 'a' ¦ '%05.2f' % f ¦ '%s %s' % (1, 'b') ¦ '%(a)s-%(b)05d' % {'a': 'x', 'b': 7} ¦ '%d%%' % 50 ¦ '%x %X %o' % (255, 255, 8)
'%#x %#o' % (255, 8) ¦ '%+d % d' % (5, 5) ¦ '%-5s|' % 'ab' ¦ '%5s|' % 'ab' ¦ '%05d' % neg ¦ '%.3s' % 'abcdef' ¦ '%e' % 12345.678 ¦ '%g' % 0.00001234
'%G' % 1e20 ¦ '%g' % 100000 ¦ '%g' % 1000000 ¦ '%r' % 'a' ¦ '%r' % [[1]] ¦ '%c' % 65 ¦ '%c' % 'z' ¦ '%*d' % (6, 42) ¦ '%-*d|' % (6, 42) ¦ '%.*f' % (2, 3.14159)
'%i' % 3.9 ¦ '%s' % none ¦ '%s' % true ¦ '%s' % xs ¦ '%s' % (xs,) ¦ '%d' % 'a' ¦ '%s %s' % 1 ¦ '%s' % (1, 2) ¦ 'abc' % 1 ¦ 'abc' % xs ¦ 'abc' % d ¦ '%q' % 1 ¦ '%' % 1
'%(x)s' % {'a': 1} ¦ '%(a)s' % 1 ¦ '%5.1f|' % 2.25 ¦ '%.0f' % 2.5 ¦ '%.0f' % 3.5 ¦ '%#.0f' % 3 ¦ '%s' % missing ¦ '%+.1e' % 0 ¦ '%d' % true ¦ '%s' % 1.0 ¦ '%s' % 1e16
'%5%' % () ¦ '%a' % 'é' ¦ '%010.3f' % -3.14159 ¦ '%+05d' % 3 ¦ '% 05d' % 3 ¦ '%.5d' % 42 ¦ '%8.5d' % 42 ¦ '%08.5d' % 42 ¦ '%ld' % 3 ¦ '%s%%' % 5 ¦ '%s' % {'a': 1}
7 % 3 ¦ -7 % 3 ¦ 7 % -3 ¦ 7.5 % 2 ¦ -7.5 % 2 ¦ 7 % 0 ¦ 7 // 2 ¦ -7 // 2 ¦ 7 / 2 ¦ 7 // 0 ¦ 2 ** 10 ¦ 2 ** -1 ¦ 2 ** 3 ** 2 ¦ -2 ** 2 ¦ 7 % 4 * 2 ¦ 2 * 7 % 4 ¦ 1 + 7 % 4
true % 2 ¦ n % 2 == 1 ¦ not n % 2 ¦ n % 3 ~ 'x' ¦ +1 ¦ +neg ¦ -neg ¦ +f ¦ + n + + 1 ¦ - - n ¦ +true ¦ +'a' ¦ -'a' ¦ 1 + +1 ¦ -n | abs ¦ 3 - -3 ¦ +n | string
'a' 'b' ¦ 'a' ~ 1 ~ 2.0 ~ none ~ true ~ xs ~ d ¦ 1 ~ 2 ¦ 'a' ~ missing ~ 'b' ¦ 'a' + 'b' ¦ 'a' + 1 ¦ 1 + 'a' ¦ [1] + [2] ¦ (1,) + (2,) ¦ [1] + (2,) ¦ 'a' * 3 ¦ 3 * 'a' ¦ [1] * 2 ¦ 'a' * -1
'a' * 1.5 ¦ 1 + 1.0 ¦ 1 + true ¦ none + 1 ¦ 'a' - 'b' ¦ 'a' < 'b' ¦ 1 < 'a' ¦ 1 == 1.0 ¦ '1' == 1 ¦ none == none ¦ none < 1 ¦ [1] < [2] ¦ 1 < 2 < 3 ¦ 3 > 2 > 2 ¦ 1 < 3 > 2 ¦ true == 1
'a' in 'abc' ¦ 1 in xs ¦ 'b' in d ¦ 4 not in xs ¦ 1 in 'abc' ¦ 'a' in none ¦ [] == () ¦ {} == {} ¦ not [] ¦ not 0 ¦ not 'a' ¦ 1 and 2 ¦ 0 or 'x' ¦ '' or none ¦ 1 if true else 2
'x' if false ¦ (1 if false) is defined ¦ n if n > 3 else 0 ¦ 'a' if 'b' in d else 'c' ¦ s is string and n is number ¦ d is mapping or false
s[0] ¦ s[-1] ¦ s[7] ¦ s[100] ¦ s[-100] ¦ s[1:4] ¦ s[:3] ¦ s[-3:] ¦ s[::2] ¦ s[::-1] ¦ s[10:2:-2] ¦ s[4:1] ¦ s[:-20] ¦ s[5:] ¦ s[:] ¦ s[::] ¦ s[1:100:3] ¦ s['x'] ¦ s[1.5] ¦ s[true]
xs[0] ¦ xs[-1] ¦ xs[5] ¦ xs[-4] ¦ xs[1:] ¦ xs[:-1] ¦ xs[::-1] ¦ xs[5:] ¦ xs[0:2] ¦ xs[::0] ¦ xs['a'] ¦ xs[0:2][1] ¦ (1, 2, 3)[1:] ¦ (1, 2)[0] ¦ (1,) ¦ () ¦ (1, 2)[::-1] ¦ d['b'] ¦ d['zz'] ¦ d['a'][1]
d.a[0] ¦ d.a.0 ¦ d.a.5 ¦ d.b.c ¦ d['c']['x'] ¦ d.zz ¦ d.zz.y ¦ n.x ¦ n[0] ¦ n[1:2] ¦ none[0] ¦ nul[1:] ¦ '\d\q' ¦ '\101' ¦ missing[0] ¦ missing[1:2] ¦ missing.x ¦ true[0] ¦ rows[0].v ¦ rows[0]['v'] ¦ rows[-1].v
s.strip is defined ¦ d.items is defined ¦ schema.items is defined ¦ schema['items'] ¦ schema.items() | list ¦ schema.get('items') ¦ d.get is callable ¦ d.nope is callable ¦ s.upper is callable ¦ d.keys is string
s.upper() ¦ s.lower() ¦ s.title() ¦ s.capitalize() ¦ s.swapcase() ¦ 'ßa'.upper() ¦ 'ßa'.capitalize() ¦ 'ßA'.title() ¦ 'straße'.casefold() ¦ 'İ'.lower() ¦ "they're bill's".title() ¦ 'x1y'.title() ¦ 'ΑΣ'.lower()
'abc'.center(10) ¦ 'abc'.center(9, '*') ¦ 'abcd'.center(9, '*') ¦ 'ab'.center(7, '-') ¦ 'abc'.ljust(6, '.') ¦ 'abc'.rjust(6, '.') ¦ 'abc'.ljust(2) ¦ 'abc'.ljust(5) ~ '|' ¦ 'abc'.center(5, 'xy') ¦ 'abc'.center()
'7'.zfill(3) ¦ '-7'.zfill(4) ¦ '+7'.zfill(4) ¦ 'abc'.zfill(2) ¦ 'a-b-c'.split('-') ¦ 'a-b-c'.split('-', 1) ¦ 'a-b-c'.rsplit('-', 1) ¦ 'a-b-c'.rsplit('-') ¦ ' a  b c '.split() ¦ ' a  b c '.split(none, 1) ¦ ' a  b c '.rsplit(none, 1)
'a b'.split(maxsplit=1) ¦ 'a,b'.split(sep=',') ¦ 'a'.split('') ¦ 'a\nb\r\nc'.splitlines() ¦ 'a\nb\n'.splitlines(true) ¦ 'a\nb'.splitlines(keepends=true) ¦ ''.split() ¦ ''.split(',') ¦ ' a b '.split(' ') ¦ 'abc'.rsplit()
'  a '.strip() ~ '|' ¦ 'xxaxx'.strip('x') ¦ 'xyaxy'.lstrip('xy') ¦ 'xyaxy'.rstrip('yx') ¦ ' a '.lstrip() ~ '|' ¦ ' a '.rstrip() ~ '|' ¦ 'abcabc'.find('c') ¦ 'abcabc'.find('c', 3) ¦ 'abcabc'.find('c', 3, 4) ¦ 'abc'.find('z')
'abcabc'.rfind('b') ¦ 'abcabc'.index('b') ¦ 'abcabc'.index('z') ¦ 'abcabc'.rindex('a') ¦ 'abcabc'.count('b') ¦ 'abcabc'.count('b', 2) ¦ 'aaa'.count('aa') ¦ 'abc'.count('') ¦ 'éa'.find('a') ¦ 'abc'.find('') ¦ 'abc'.find('', 5)
'abc'.startswith('b', 1) ¦ 'abc'.startswith('a') ¦ 'abc'.startswith(('x', 'a')) ¦ 'abc'.startswith(['a']) ¦ 'abc'.endswith('b', 0, 2) ¦ 'abc'.endswith(('c', 'd')) ¦ 'abc'.endswith('') ¦ 'abc'.startswith('', 4) ¦ 'abc'.startswith('', 3) ¦ 'abc'.startswith(1)
'abc'.replace('b', 'x') ¦ 'aaa'.replace('a', 'b', 2) ¦ 'abc'.replace('', '-') ¦ 'abc'.replace('b', '') ¦ 'aaa'.replace('a', 'b', -1) ¦ 'abc'.replace('b') ¦ 'abc'.removeprefix('a') ¦ 'abc'.removesuffix('c')
'a-b-c'.partition('-') ¦ 'a-b-c'.rpartition('-') ¦ 'abc'.partition('-') ¦ 'abc'.rpartition('-') ¦ 'abc'.partition('') ¦ 'a\tb'.expandtabs(4) ¦ 'ab\tc\td'.expandtabs() ¦ 'a\tb'.expandtabs(0) ¦ '-'.join(['a', 'b']) ¦ '-'.join('abc') ¦ '-'.join([1]) ¦ ','.join(d)
'abc'.isalpha() ¦ 'ab1'.isalnum() ¦ ''.isalpha() ¦ '12'.isdigit() ¦ '²'.isdigit() ¦ '²'.isdecimal() ¦ '½'.isnumeric() ¦ '½'.isdigit() ¦ 'a b'.isspace() ¦ ' \t'.isspace() ¦ 'Ab Cd'.istitle() ¦ 'ab'.istitle() ¦ 'AB'.isupper() ¦ 'a1'.islower()
'é'.isalpha() ¦ 'é'.isascii() ¦ 'ab_1'.isidentifier() ¦ '1a'.isidentifier() ¦ 'a\n'.isprintable() ¦ 'é!'.isprintable() ¦ 'é '.isascii() ¦ ''.isascii() ¦ '1'.islower() ¦ '日本'.isalpha()
'é'.encode('utf-8') | length ¦ 'é'.encode() ¦ 'a\'b'.encode() ¦ 'é'.encode('utf-8').decode('utf-8') ¦ 'abc'.encode('ascii') ¦ 'é'.encode('utf-8')[0]
'{} {}'.format(1, 'a') ¦ '{0} {1} {0}'.format('x', 'y') ¦ '{a}'.format(a=1) ¦ '{:>5}|'.format('a') ¦ '{:<5}|'.format('a') ¦ '{:^5}|'.format('a') ¦ '{:*^7}'.format('abc') ¦ '{:5}|'.format('a') ¦ '{:5}|'.format(1) ¦ '{:05d}'.format(-3)
'{:+}'.format(3) ¦ '{: }'.format(3) ¦ '{:,}'.format(1234567) ¦ '{:_}'.format(1234567) ¦ '{:,.2f}'.format(1234567.891) ¦ '{:.2f}'.format(1) ¦ '{:.3}'.format('abcdef') ¦ '{:.3}'.format(1234.5) ¦ '{:.3}'.format(1.0) ¦ '{:.2}'.format(10.0) ¦ '{:g}'.format(1e-5)
'{:e}'.format(1234.5) ¦ '{:%}'.format(0.25) ¦ '{:.1%}'.format(0.256) ¦ '{:x}'.format(255) ¦ '{:#x}'.format(255) ¦ '{:#010x}'.format(255) ¦ '{:b}'.format(5) ¦ '{:o}'.format(8) ¦ '{:c}'.format(65) ¦ '{:X}'.format(255) ¦ '{:_b}'.format(1000) ¦ '{:n}'.format(5)
'{:010,}'.format(1234) ¦ '{:011,}'.format(1234) ¦ '{:012,.1f}'.format(1234.5) ¦ '{:=+5}'.format(3) ¦ '{:0>4}'.format(7) ¦ '{:0<4}'.format(7) ¦ '{:04}'.format('a') ¦ '{:>04}'.format(1) ¦ '{!r}'.format('a') ¦ '{!s:>4}'.format(1) ¦ '{!a}'.format('é')
'{0[0]} {0[1]}'.format(xs) ¦ '{0[b]}'.format(d) ¦ '{a[r]}'.format(a=rows[0]) ¦ '{:{}}'.format('a', 4) ~ '|' ¦ '{:{w}.{p}f}'.format(3.14159, w=8, p=2) ¦ '{{}}'.format() ¦ '{{{}}}'.format(1) ¦ '{}'.format() ¦ '{0}{}'.format(1, 2) ¦ '{' .format(1) ¦ '}'.format(1)
'{}'.format(true) ¦ '{:5}'.format(true) ¦ '{}'.format(none) ¦ '{:5}'.format(none) ¦ '{}'.format(1.0) ¦ '{:d}'.format(1.5) ¦ '{:d}'.format('a') ¦ '{:s}'.format(1) ¦ '{:,}'.format('a') ¦ '{:.2f}'.format('a') ¦ '{}'.format(xs) ¦ '{:5}'.format(xs) ¦ '{:.0f}'.format(0.5)
'{:10.3e}|'.format(12345.6789) ¦ '{:f}'.format(1e16) ¦ '{}'.format(1e16) ¦ '{:G}'.format(1e-10) ¦ '{:.0e}'.format(15) ¦ '{:#.3g}'.format(1.0) ¦ '{:z}'.format(1) ¦ '{:é>3}'.format(1) ¦ '{a}'.format_map({'a': 2}) ¦ '{b}'.format_map(d) ¦ '{x}'.format(1)
xs.index(1) ¦ xs.index(9) ¦ xs.count(1) ¦ xs.append(1) ¦ xs.copy() ¦ xs.pop() ¦ xs.sort() ¦ (1, 2).index(2) ¦ (1, 1).count(1) ¦ d.get('b') ¦ d.get('z') ¦ d.get('z', 5) ¦ d.keys() | list ¦ d.values() | list ¦ d.items() | list ¦ d.keys() ¦ d.items()
d.items() | length ¦ d.update({'x': 1}) ¦ d.pop('b') ¦ d.copy() ¦ dict(a=1, b=2) ¦ dict([['a', 1]]) ¦ dict(d, z=1) ¦ f.is_integer() ¦ (2.0).is_integer() ¦ s.nope() ¦ d.nope() ¦ n.upper() ¦ missing.upper() ¦ d.keys()[0] ¦ d.items() is iterable ¦ d.items() is sequence
-3 | abs ¦ -2.5 | abs ¦ 'a' | abs ¦ true | abs ¦ nul | abs
rows | map(attribute='v') | list ¦ rows | map(attribute='zz', default='q') | list ¦ rows | map('length') | list ¦ xs | map('string') | join('-') ¦ mixed | map('upper') | list ¦ mixed | map('replace', 'a', 'x') | list ¦ mixed | map('center', width=3) | list ¦ mixed | map('nofilter') | list
rows | selectattr('r', 'equalto', 1) | list ¦ rows | selectattr('r', 'eq', 1) | map(attribute='v') | list ¦ rows | rejectattr('r', '==', 1) | list ¦ rows | selectattr('zz') | list ¦ rows | selectattr('v') | list | length ¦ xs | select('odd') | list ¦ xs | reject('odd') | list ¦ xs | select('gt', 1) | list ¦ xs | select('>', 1) | list
xs | select('in', [1, 2]) | list ¦ xs | select | list ¦ [0, 1, ''] | reject | list ¦ xs | select('divisibleby', 3) | list ¦ xs | select('nope') | list ¦ rows | selectattr('v', 'in', ['a', 'c']) | map(attribute='v') | join ¦ rows | map(attribute='r') | sum ¦ rows | selectattr('v', 'defined') | list | length
xs | batch(2) | list ¦ xs | batch(2, 'x') | list ¦ xs | batch(linecount=2, fill_with=0) | list ¦ xs | batch(0) | list ¦ [] | batch(2) | list ¦ xs | slice(2) | list ¦ xs | slice(2, 'x') | list ¦ xs | slice(slices=2, fill_with='y') | list ¦ xs | slice(5) | list ¦ xs | slice(0) | list ¦ xs | slice(-1) | list
'hello WORLD' | capitalize ¦ s | capitalize ¦ 'abc' | center(9) ~ '|' ¦ 'abc' | center(width=8) ~ '|' ¦ 'abc' | center | length ¦ 12 | center(6) ~ '|' ¦ 'abc' | count ¦ xs | count ¦ d | count ¦ nul | count ¦ n | length ¦ missing | length ¦ 'é🙂' | length ¦ range(5) | length
missing | default('x') ¦ 0 | default('x') ¦ 0 | default('x', true) ¦ 0 | default('x', boolean=true) ¦ '' | d('y', true) ¦ nul | default('z') ¦ nul | default('z', true) ¦ missing | default ¦ missing.x | default('q') ¦ d.zz | default('q') ¦ 0 | default(default_value='x', boolean=true) ¦ missing | default(1, 2, 3)
d | dictsort ¦ {'b': 1, 'A': 3, 'c': 2} | dictsort ¦ {'b': 1, 'A': 3, 'c': 2} | dictsort(true) ¦ {'b': 1, 'A': 3, 'c': 2} | dictsort(false, 'value') ¦ {'b': 1, 'A': 3, 'c': 2} | dictsort(by='value', reverse=true) ¦ {'b': 1} | dictsort(by='x') ¦ xs | dictsort ¦ d | dictsort(by='value')
'<a href="x">\'&' | e ¦ '<' | escape ¦ '<' | forceescape ¦ 5 | e ¦ nul | e ¦ 0 | filesizeformat ¦ 1 | filesizeformat ¦ 999 | filesizeformat ¦ 1000 | filesizeformat ¦ 123456789 | filesizeformat ¦ 1024 | filesizeformat(true) ¦ 123456789 | filesizeformat(binary=true) ¦ '2000' | filesizeformat
xs | first ¦ [] | first ¦ 'abc' | first ¦ '' | first is defined ¦ d | first ¦ nul | first ¦ xs | last ¦ [] | last ¦ 'abc' | last ¦ d | last ¦ missing | first ¦ missing | last ¦ xs | map('string') | first ¦ xs | map('string') | last ¦ range(3) | last
'3.5' | float ¦ 'abc' | float ¦ 'abc' | float(1.5) ¦ 'x' | float(default=2) ¦ nul | float ¦ 3 | float ¦ true | float ¦ '1e3' | float ¦ ' 2 ' | float ¦ '1_000' | float ¦ 'inf' | float ¦ '-nan' | float ¦ missing | float ¦ xs | float ¦ '.5' | float ¦ '5.' | float ¦ '+1' | float ¦ '--1' | float
'42' | int ¦ 'abc' | int ¦ 'abc' | int(-1) ¦ 'x' | int(default=5) ¦ '42.9' | int ¦ 42.9 | int ¦ -42.9 | int ¦ '0x1f' | int(base=16) ¦ '1f' | int(0, 16) ¦ '0b11' | int(0, 2) ¦ '0o17' | int(base=8) ¦ '0x1f' | int ¦ '0x1f' | int(base=0) ¦ '010' | int(base=0) ¦ nul | int ¦ true | int ¦ '1e3' | int ¦ ' 7 ' | int ¦ '1_0' | int ¦ '_1' | int ¦ missing | int ¦ '' | int ¦ 'inf' | int ¦ xs | int
'%s-%s' | format(1, 2) ¦ '%(a)s' | format(a=1) ¦ '%s' | format(1, a=2) ¦ '%d' | format('a') ¦ 5 | format ¦ '%s' | format(xs) ¦ '%s' | format((1, 2)) ¦ 'x' | format ¦ '%5.2f' | format(2)
rows | groupby('r') | list ¦ rows | groupby('r') | map('first') | list ¦ rows | groupby('r') | map(attribute='list') | list ¦ rows | groupby(attribute='v') | map(attribute='grouper') | list ¦ rows | groupby('zz', default='q') | list ¦ rows | groupby('r') | length ¦ rows | groupby('v', case_sensitive=true) | map(attribute='grouper') | list ¦ rows | groupby
'a\nb\n\nc' | indent ¦ 'a\nb' | indent(2) ¦ 'a\nb' | indent(2, true) ¦ 'a\n\nb' | indent(2, true, true) ¦ 'a\nb' | indent(width=1, first=true) ¦ 'a\n\nb' | indent(blank=true) ¦ 'a\nb' | indent('>>') ¦ '{\n' | indent(4, first=True) ¦ 'a\nb\n' | indent(2) ¦ '' | indent(2, true) ¦ 'a' | indent ¦ 5 | indent ¦ 'a\r\nb' | indent(1) ¦ 'a\nb' | indent(width='--', first=true) ¦ 'a\nb' | indent(-1)
d | items | list ¦ missing | items | list ¦ xs | items | list ¦ xs | join ¦ xs | join(', ') ¦ xs | join(d='-') ¦ rows | join('|', attribute='v') ¦ rows | join('|', 'v') ¦ 'abc' | join('-') ¦ nul | join ¦ missing | join('x') ¦ d | join(',') ¦ [1, none, true, 2.0] | join(' ') ¦ ['a', ['b']] | join ¦ xs | join(1)
'abc' | list ¦ d | list ¦ missing | list ¦ nul | list ¦ 5 | list ¦ 'ABC' | lower ¦ nul | lower ¦ 5 | lower ¦ true | upper ¦ s | upper ¦ xs | upper ¦ d | lower
xs | max ¦ xs | min ¦ mixed | max ¦ mixed | min ¦ mixed | min(true) ¦ mixed | max(case_sensitive=true) ¦ rows | max(attribute='v') ¦ rows | min(attribute='r') ¦ [] | max ¦ [] | max is defined ¦ 'abc' | max ¦ [1, 'a'] | max ¦ [1, 2.5, true] | max ¦ [1, 1.0] | max
xs | pprint ¦ d | pprint ¦ 'a' | pprint ¦ {'z': 1, 'a': 2} | pprint ¦ 'abc' | replace('b', 'x') ¦ 'aaa' | replace('a', 'b', 2) ¦ 'aaa' | replace('a', 'b', count=1) ¦ 'aaa' | replace(old='a', new='b') ¦ 123 | replace(2, 5) ¦ 'a' | replace('a') ¦ 'abc' | replace('', '-')
xs | reverse | list ¦ 'abc' | reverse ¦ d | reverse | list ¦ nul | reverse ¦ (1, 2) | reverse | list ¦ range(3) | reverse | list ¦ d.items() | reverse | list ¦ 5 | reverse ¦ 2.5 | round ¦ 3.5 | round ¦ 2.675 | round(2) ¦ 2.4 | round(0, 'ceil') ¦ 2.7 | round(method='floor') ¦ 1234.5 | round(-2) ¦ 7 | round ¦ 1250 | round(-2) ¦ 1350 | round(-2) ¦ 42.55 | round(1) ¦ 42.55 | round(1, 'floor')
42.55 | round(precision=1, method='ceil') ¦ 5 | round(1, 'ceil') ¦ 'a' | round ¦ 1.5 | round(method='x') ¦ -2.5 | round ¦ 0.5 | round ¦ true | round ¦ 1e300 | round(2) ¦ '<a>' | safe ¦ 01 ¦ 1 is lt 'a' ¦ '<' | e | upper ¦ range ¦ 5 | safe
[3,1,2] | sort ¦ [1,3,2] | sort(true) ¦ [1,3,2] | sort(reverse=true) ¦ mixed | sort ¦ mixed | sort(case_sensitive=true) ¦ mixed | sort(false, true) ¦ rows | sort(attribute='v') ¦ rows | sort(attribute='r,v') ¦ rows | sort(attribute='r', reverse=true) | map(attribute='v') | list ¦ [1, 'a'] | sort ¦ 'bca' | sort ¦ d | sort ¦ [[2, 1], [1, 2]] | sort ¦ nul | sort ¦ [none, 1] | sort ¦ [true, 0, 1] | sort ¦ {'b': 1, 'a': 2} | sort
5 | string ¦ none | string ¦ xs | string ¦ 1.0 | string ¦ missing | string ¦ d | string ¦ 1e100 | string ¦ '<p>Hello  <b>you</b></p>\n x' | striptags ¦ 'a &amp; b' | striptags ¦ '<!-- c --> x' | striptags ¦ xs | sum ¦ [1.5, 2] | sum ¦ rows | sum(attribute='r') ¦ rows | sum('r', 10) ¦ xs | sum(start=5) ¦ [] | sum ¦ ['a'] | sum ¦ [[1], [2]] | sum(start=[]) ¦ xs | sum(none, 1)
'hello world' | title ¦ "it's a (test) -x [y] <z> {w}" | title ¦ 'FOO bar' | title ¦ 'ßa' | title ¦ xs | title ¦ '  a ' | trim ~ '|' ¦ 'xxaxx' | trim('x') ¦ 'xxaxx' | trim(chars='x') ¦ 5 | trim ¦ nul | trim ¦ '\n a \t' | trim ¦ 'a' | trim(none)
long | truncate(20) ¦ long | truncate(20, true) ¦ long | truncate(20, false, '…') ¦ long | truncate(20, end='') ¦ long | truncate(75) ¦ long | truncate(75, leeway=0) ¦ long | truncate(length=10, killwords=true, end='!', leeway=0) ¦ long | truncate ¦ long | truncate(2) ¦ 'abc' | truncate(3) ¦ 'abcdefghij' | truncate(5, leeway=0) ¦ 'abcdefghij' | truncate(5, true, '') ¦ 5 | truncate ¦ 'abcdefghij' | truncate(5, false, '...', 0)
mixed | unique | list ¦ mixed | unique(true) | list ¦ mixed | unique(case_sensitive=true) | list ¦ rows | unique(attribute='r') | map(attribute='v') | list ¦ [1, 1.0, true] | unique | list ¦ [[1]] | unique | list ¦ 'abca' | unique | join ¦ rows | unique(false, 'r') | list | length
'a b/c?d=é' | urlencode ¦ {'a': 'x y', 'b/': 1} | urlencode ¦ [('a', 1), ('b', 'c d')] | urlencode ¦ 5 | urlencode ¦ 'a~b-_.' | urlencode ¦ nul | urlencode ¦ 'a+&' | urlencode ¦ 'hello, you world' | wordcount ¦ s | wordcount ¦ "it's a_b 1" | wordcount ¦ '' | wordcount ¦ 5 | wordcount
{'class': 'a b', 'x': none, 'id': 1} | xmlattr ¦ {'a': '<'} | xmlattr(false) ¦ {} | xmlattr ¦ {'a b': 1} | xmlattr ¦ {'a': '"'} | xmlattr(autospace=false)
d | tojson ¦ xs | tojson(indent=2) ¦ d | tojson(indent=2, sort_keys=true) ¦ 'é<' | tojson ¦ 'é' | tojson(true) ¦ 'é' | tojson(ensure_ascii=true) ¦ (1, 2) | tojson ¦ {'a': (1,)} | tojson(separators=(',', ':')) ¦ missing | tojson ¦ range(3) | tojson ¦ d.keys() | tojson ¦ 1e16 | tojson ¦ {1: 2} | tojson ¦ {none: true} | tojson ¦ xs | map('string') | tojson ¦ d | tojson(4) ¦ 'a\u2028' | tojson ¦ d | tojson(none, 1)
d.a | attr('x') ¦ s | attr('upper') is callable ¦ d | attr('b') ¦ d | attr('get') is callable ¦ n | nofilter ¦ range(5) | list ¦ range(1, 7, 2) | list ¦ range(5, 0, -2) | list ¦ range(3) ¦ range(1, 3) ¦ range(0, 9, 3) ¦ range(5)[1] ¦ range(5)[-1] ¦ range(5)[1:3] | list ¦ range(0) | list ¦ range(100001) ¦ range(3, step=2) ¦ range('a') ¦ 2 in range(3) ¦ range(2) ~ ''
true is boolean ¦ 1 is boolean ¦ s.upper is callable ¦ n is callable ¦ missing is callable ¦ dict is callable ¦ range is callable ¦ namespace is callable ¦ raise_exception is callable ¦ d is callable ¦ s is callable ¦ missing is defined ¦ n is defined ¦ 9 is divisibleby 3 ¦ 9 is divisibleby(4) ¦ n is eq 7 ¦ n is equalto(7) ¦ n is == 7 ¦ 2 is even ¦ 3 is even ¦ 'a' is even
false is false ¦ 0 is false ¦ 'upper' is filter ¦ 'nope' is filter ¦ 1.0 is float ¦ 1 is float ¦ 2 is ge 2 ¦ 2 is gt 2 ¦ 2 is greaterthan 1 ¦ 1 is in xs ¦ 'a' is in 'abc' ¦ 1 is in(xs) ¦ 1 is integer ¦ true is integer ¦ 1.0 is integer ¦ xs is iterable ¦ 5 is iterable ¦ s is iterable ¦ d is iterable ¦ nul is iterable ¦ missing is iterable ¦ 2 is le 2 ¦ 1 is lessthan 2 ¦ 1 is lt 2
'abc' is lower ¦ 'aBc' is lower ¦ 'ABC' is upper ¦ 5 is lower ¦ d is mapping ¦ xs is mapping ¦ 1 is ne 2 ¦ nul is none ¦ missing is none ¦ 1 is number ¦ true is number ¦ '1' is number ¦ 1.5 is number ¦ 3 is odd ¦ 2.5 is odd ¦ 1 is sameas 1 ¦ none is sameas none ¦ true is sameas true ¦ 1 is sameas true ¦ xs is sequence ¦ s is sequence ¦ d is sequence ¦ 5 is sequence ¦ missing is sequence
(1, 2) is sequence ¦ range(3) is sequence ¦ 'a' is string ¦ 5 is string ¦ 'divisibleby' is test ¦ 'nope' is test ¦ true is true ¦ 1 is true ¦ missing is undefined ¦ nul is undefined ¦ n is not none ¦ n is not defined ¦ not n is defined ¦ n is defined and n is odd ¦ n is nope ¦ 'a' is escaped ¦ ('a' ¦ e) is escaped ¦ 'abc' is startingwith 'a'
none ¦ None ¦ True ¦ False ¦ nul ¦ 1.0 ¦ 1e3 ¦ 1e16 ¦ 1e-7 ¦ 0.1 + 0.2 ¦ 1_000 ¦ 0x1f ¦ 0b11 ¦ 0o17 ¦ 1.5e300 * 1e10 ¦ 123456789012345678901234567890 ¦ 10 ** 20 ¦ -0.0 ¦ 1 / 3 ¦ 5 // 2.0 ¦ 7.0 ¦ 1e22 ¦ 100000000000000000000.0 ¦ 3.0e-5
'it\'s' ¦ "a\"b" ¦ 'a\\b' ¦ '\x41\u00e9\n' ¦ ['a', "it's", "q\"", 'b\n', 'é', '\x00', '\x7f', '\u200b'] ¦ {'a': {'b': none}} ¦ [1.0, true, none, missing] ¦ (1, 'a') ¦ [()] ¦ {} ¦ [[], {}] ¦ {1: 'a', none: 2, true: 3, 'k': 4} ¦ '\U0001F642' ¦ ['\U0001F642', '\u2028', '\xa0', '\u0301']
joiner(',') is callable ¦ cycler('a', 'b').next() ¦ cycler('a', 'b').current ¦ namespace(a=1).a ¦ namespace(a=1).b ¦ namespace({'a': 2}).a ¦ loop is defined ¦ caller is defined ¦ debug is defined ¦ cycler() ¦ strftime_now('%Y') | length
schema.items ¦ schema['items'].type ¦ s.upper ¦ xs | map('upper') ¦ [s.upper] ¦ xs | reverse ¦ xs | unique ¦ rows | groupby('r') ¦ d | items ¦ (xs | map('string')) is defined ¦ (xs ¦ select) is iterable ¦ (xs ¦ select) is sequence ¦ xs | select | length ¦ (xs | map('string'))[0] ¦ xs | select is string
missing | upper ¦ missing ~ 'x' ¦ missing + 'x' ¦ missing == missing2 ¦ missing in xs ¦ 'a' in missing ¦ missing and 1 ¦ not missing ¦ missing | trim ¦ missing | join ¦ missing | replace('a', 'b') ¦ missing | string ¦ missing | int(3) ¦ missing | sort ¦ missing | sum ¦ missing | first is defined ¦ missing < 1 ¦ -missing ¦ missing() ¦ missing | tojson
'a' | random ¦ 'http://x.y' | urlize ¦ 'a b' | wordwrap(1) ¦ xs | zip(xs) ¦ 'a' | split('a') ¦ d | keys ¦ 1 | bool ¦ xs | chain(xs) ¦ 'a\nb' | lines
"""


class FixedClock(datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime(2026, 3, 7, 9, 5, 2)


chat_template_utils.datetime = FixedClock


def text(expression):
    try:
        rendered = chat_template_utils._compile_jinja_template("{{ " + expression + " }}").render(**VARIABLES)
    except Exception:  # noqa: BLE001 whatever Jinja2 refuses with
        return None
    return None if re.search(r"<.* at 0x[0-9a-f]+>|<class '", rendered) else rendered


if __name__ == "__main__":
    expressions = [expression for line in EXPRESSIONS.strip().split("\n") for expression in line.split(" ¦ ")]
    rows = [[expression, text(expression)] for expression in dict.fromkeys(expressions)]
    path = HERE / "expressions.json"
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    variables = json.dumps(VARIABLES, ensure_ascii=False)
    path.write_text(f'{{"variables": {variables},\n"rows": [\n{lines}\n]}}\n', encoding="utf-8")
    refused = sum(row[1] is None for row in rows)
    print(f"{len(rows)} expressions, {refused} of them refused, {path.stat().st_size // 1024} KiB")
