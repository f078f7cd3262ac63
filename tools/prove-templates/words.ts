/** What snippets are made of: values, filters, methods, tests and formats, each with arguments that fit and some that do not. */

/** The variables of every snippet, as JSON. */
export const variables: Readonly<Record<string, unknown>> = {
  messages: [
    { role: "system", content: "Be kind" },
    { role: "user", content: "Hé 🦙" },
    {
      role: "assistant",
      content: " x\n",
      tool_calls: [{ name: "f", arguments: { a: 1, b: null } }],
    },
    { role: "tool", content: '<b>it\'s & "so"</b>' },
  ],
  tools: null,
  documents: null,
  add_generation_prompt: true,
  bos_token: "<s>",
  eos_token: "</s>",
  unk_token: "<unk>",
  n: 7,
  big: 1234567890123,
  rate: 3.14259,
  words: ["pear", "Apple", "fig", "apple", "Éclair"],
  numbers: [3, 1, 2, 3, -1],
  mixed: [1, "a", null, true, 2.5, [1], { k: "v" }],
  table: [
    { name: "b", n: 2, in: { x: 1 } },
    { name: "A", n: 1, in: { x: null } },
    { name: "a", n: 2 },
  ],
  d: { b: 1, a: [1, 2], C: null, "k y": "v" },
  text: "The quick  brown\tfox\njumps over\r\nthe lazy-dog's back, well--known -- 3.5 times.\n\n",
  html: "<p>a &amp; b</p> 'q' \"r\"",
  empty: "",
  nothing: [],
};

/** One word on each side of ";;". Backslashes are the template's own. */
function split(words: string): readonly string[] {
  return words.split(";;").map((word) => word.trim());
}

export const filters: readonly string[] = split(String.raw`
  abs ;; attr('upper') ;; attr('a') ;; attr('items') ;; batch(2)|list ;; batch(2,'-')|list ;;
  batch(0)|list ;; capitalize ;; center(9) ;; center ;; count ;; d('D') ;; d('D',true) ;;
  default(boolean=true) ;; default ;; default('q','w','e') ;; dictsort ;; dictsort(true) ;;
  dictsort(by='value') ;; dictsort(false,'value',true) ;; dictsort(by='x') ;; e ;; escape ;;
  filesizeformat ;; filesizeformat(true) ;; first ;; float ;; float(9.5) ;; float('q') ;; forceescape ;;
  format(1) ;; format('a','b') ;; format(a=1) ;; groupby('name') ;; groupby('n') ;; groupby('in.x') ;;
  groupby('in.x',default=0) ;; groupby('name',case_sensitive=true) ;;
  groupby('role')|map(attribute='grouper')|list ;; groupby(0)|list ;; indent ;; indent(2) ;;
  indent(2,true) ;; indent(2,true,true) ;; indent('> ',first=true) ;; indent(blank=true) ;; int ;;
  int(7) ;; int(base=16) ;; int(7,2) ;; int('a') ;; items|list ;; join ;; join(',') ;;
  join(', ',attribute='name') ;; join(d='-',attribute='role') ;; join(1) ;; last ;; length ;; list ;;
  lower ;; map('upper')|list ;; map('length')|list ;; map(attribute='name')|list ;;
  map(attribute='in.x')|list ;; map(attribute='in.x',default='D')|list ;; map('int',default=3)|list ;;
  map('default','z')|list ;; map('nope')|list ;; map|list ;; map('replace','a','b')|join ;; max ;; min ;;
  max(attribute='n') ;; min(case_sensitive=true) ;; max(true) ;; pprint ;; reject|list ;;
  reject('none')|list ;; reject('odd')|list ;; rejectattr('n')|list ;;
  rejectattr('name','equalto','a')|list ;; rejectattr('in.x','none')|list ;; replace('a','X') ;;
  replace('a','X',1) ;; replace('',' ') ;; replace(1,2) ;; replace(old='b',new='c',count=1) ;;
  replace('a') ;; reverse|list ;; reverse ;; round ;; round(1) ;; round(2,'ceil') ;; round(1,'floor') ;;
  round(-1) ;; round(method='ceil') ;; round(1,'x') ;; round(none) ;; safe ;; select|list ;;
  select('string')|list ;; select('number')|list ;; select('in',[1,'a'])|list ;; select('gt',1)|list ;;
  select('nope')|list ;; selectattr('n')|list ;; selectattr('n','eq',2)|list ;;
  selectattr('role','in',['user','tool'])|list ;; selectattr('content','defined')|list|length ;;
  selectattr('in.x','defined')|list ;; selectattr|list ;; slice(2)|list ;; slice(3,'-')|list ;;
  slice(0)|list ;; sort ;; sort(true) ;; sort(reverse=true) ;; sort(case_sensitive=true) ;;
  sort(attribute='name') ;; sort(attribute='n,name') ;; sort(attribute='in.x') ;; sort(attribute=1) ;;
  string ;; striptags ;; sum ;; sum(attribute='n') ;; sum(start=[]) ;; sum(start=1.5) ;; title ;;
  tojson ;; tojson(indent=2) ;; tojson(true) ;; tojson(ensure_ascii=true) ;; tojson(sort_keys=true) ;;
  tojson(separators=(',',':')) ;; tojson(indent='\t',sort_keys=true) ;; tojson(indent=0) ;; trim ;;
  trim('a') ;; trim(' \n') ;; trim(chars='p ') ;; truncate ;; truncate(9) ;; truncate(5,true) ;;
  truncate(5,false,'..') ;; truncate(9,leeway=0) ;; truncate(length=6,end='',leeway=2) ;; truncate(1) ;;
  unique|list ;; unique(true)|list ;; unique(attribute='n')|list ;;
  unique(case_sensitive=true,attribute='name')|list ;; upper ;; urlencode ;; urlize ;; urlize(10,true) ;;
  urlize(target='_b',rel='x') ;; wordcount ;; wordwrap ;; wordwrap(10) ;; wordwrap(5,false) ;;
  wordwrap(7,wrapstring='|') ;; wordwrap(6,break_on_hyphens=false) ;; xmlattr ;; xmlattr(false) ;;
  nope ;; upper(1) ;; length(1) ;; tojson(1,2,3,4,5) ;; list|length ;; string|length ;; list|first ;;
  list|tojson ;; list|string
`);

export const formatSpecs: readonly string[] = split(`
   ;; s ;; d ;; 5 ;; <5 ;; >5 ;; ^5 ;; *^9 ;; 05 ;; + ;; +d ;;  d ;; x ;; #x ;; X ;; b ;; #b ;; o ;; e ;;
  .2e ;; f ;; .1f ;; 08.3f ;; g ;; .3g ;; % ;; .1% ;; , ;; _ ;; ,.2f ;; 012, ;; c ;; n ;; .2 ;; .0 ;;
  =+7 ;; <08 ;; 10.4 ;; E ;; G ;; >10s ;; .3s ;; #.3g ;; # ;; _x ;; _b ;; z ;; q ;; 010 ;; ^010 ;;
  #010x ;; ,d ;; _d ;; +.2% ;; *<8,.1f ;; 0=9
`);

export const methods: readonly string[] = split(String.raw`
  .strip() ;; .strip('a ') ;; .lstrip() ;; .lstrip('a') ;; .rstrip('\n') ;; .rstrip(none) ;; .strip(1) ;;
  .split() ;; .split(' ') ;; .split('b') ;; .split(none,1) ;; .split(' ',1) ;; .split(sep=',') ;;
  .split(maxsplit=1) ;; .split('') ;; .rsplit() ;; .rsplit(' ',1) ;; .rsplit(none,1) ;; .rsplit(',',2) ;;
  .replace('a','b') ;; .replace('a','b',1) ;; .replace('','-') ;; .replace('a') ;; .startswith('a') ;;
  .startswith(('x','a')) ;; .startswith('b',1) ;; .startswith(1) ;; .endswith('c') ;;
  .endswith(('c','x')) ;; .endswith('b',0,2) ;; .upper() ;; .lower() ;; .title() ;; .capitalize() ;;
  .swapcase() ;; .casefold() ;; .find('b') ;; .find('b',2) ;; .find('',99) ;; .rfind('a') ;;
  .index('b') ;; .rindex('o') ;; .count('a') ;; .count('') ;; .count('a',1,-1) ;; .count(1) ;;
  .index(1) ;; .index(3,1) ;; .isdigit() ;; .isalpha() ;; .isalnum() ;; .isspace() ;; .isupper() ;;
  .islower() ;; .istitle() ;; .isnumeric() ;; .isdecimal() ;; .isidentifier() ;; .isprintable() ;;
  .isascii() ;; .zfill(5) ;; .center(8) ;; .center(9,'*') ;; .ljust(6,'.') ;; .rjust(6) ;;
  .ljust(3,'ab') ;; .splitlines() ;; .splitlines(true) ;; .splitlines(keepends=true) ;;
  .partition('b') ;; .partition(' ') ;; .rpartition(' ') ;; .partition('') ;; .removeprefix('a') ;;
  .removesuffix('c') ;; .expandtabs() ;; .expandtabs(4) ;; .translate({97:'X',98:none,99:100}) ;;
  .maketrans('ab','xy') ;; .join(['x','y']) ;; .join('ab') ;; .join([1]) ;; .format(1) ;;
  .format('a',b=2) ;; .format(*words) ;; .format_map({'a':1}) ;; .items()|list ;; .items() ;; .keys() ;;
  .keys()|list ;; .values()|list ;; .get('a') ;; .get('zz') ;; .get('zz',3) ;; .get(1) ;; .get([]) ;;
  .copy() ;; .pop() ;; .append(1) ;; .update({}) ;; .setdefault('a',1) ;; .fromkeys([1,2],0) ;;
  .popitem ;; .sort ;; .foo ;; .a ;; .b.c ;; .role ;; .content|length ;; ['a'] ;; ['role'] ;;
  ['upper']() ;; [0] ;; [1] ;; [-1] ;; [99] ;; [true] ;; [none] ;; [1.0] ;; [[]] ;; ['x','y'] ;; .0 ;;
  [1:] ;; [:2] ;; [::-1] ;; [1:-1] ;; [::2] ;; [-2:] ;; [5:1] ;; ['a':] ;; [::0] ;; [:none] ;;
  [-99:99:3] ;; .real ;; .imag ;; .numerator ;; .bit_length() ;; .is_integer() ;; .conjugate() ;;
  .as_integer_ratio() ;; .__class__ ;; .__len__ ;; ._x ;; .start ;; .step ;; () ;; (1) ;; (a=1) ;;
  .name ;; .next() ;; .current ;; .count
`);

export const operators: readonly string[] = split(`
  + ;; - ;; * ;; / ;; // ;; % ;; == ;; != ;; < ;; > ;; <= ;; >= ;; in ;; not in ;; and ;; or ;; ~ ;;
  **
`);

export const percentFormats: readonly string[] = split(`
  %s ;; %r ;; %d ;; %5d ;; %-5d| ;; %05d ;; %+d ;; % d ;; %x ;; %X ;; %#x ;; %o ;; %e ;; %.2e ;; %f ;;
  %.1f ;; %08.3f ;; %g ;; %.3g ;; %#g ;; %c ;; %% ;; %10s| ;; %-10s| ;; %.2s ;; %5.1s| ;; %i ;; %u ;;
  %a ;; %E ;; %G ;; %z ;; % ;; %(a)s ;; %s %s ;; %*d ;; %.*f ;; %.0f ;; %5% ;; %ld ;; %.10d ;; %+.1e
`);

export const tests: readonly string[] = split(`
  boolean ;; callable ;; defined ;; divisibleby(2) ;; divisibleby 3 ;; divisibleby(0) ;; divisibleby ;;
  eq 1 ;; eq('abc') ;; equalto none ;; escaped ;; even ;; odd ;; false ;; true ;; filter ;; test ;;
  float ;; integer ;; number ;; ge 2 ;; gt(1) ;; greaterthan 0 ;; le 2 ;; lt 3 ;; lessthan('b') ;;
  ne 1 ;; in [1,2,'a'] ;; in 'abcdef' ;; in messages ;; in d ;; iterable ;; lower ;; upper ;; mapping ;;
  none ;; sameas none ;; sameas true ;; sameas(1) ;; sameas([]) ;; sequence ;; string ;; undefined ;;
  nope ;; sequence(1) ;; == 1 ;; string and 1 ;; defined and true ;; not none
`);

export const values: readonly string[] = split(String.raw`
  1 ;; 0 ;; -3 ;; 257 ;; 2.5 ;; -0.5 ;; 0.1 ;; 1e20 ;; 1e-7 ;; 1e16 ;; 123456789.125 ;;
  12345678901234567890 ;; 100.0 ;; 1_000 ;; 0x1f ;; true ;; false ;; none ;; x ;; 'abc' ;; '' ;;
  'a B\n é🦙' ;; '  pad ' ;; 'a-b_c d' ;; 'ǆß İΣ' ;; '12' ;; ' 3.5 ' ;; '0x1f' ;; '²' ;; 'x,y,,z' ;;
  'a\tb' ;; '<a href="x">&' ;; "it's" ;; 'it\'s "q"' ;; '\u2028\x7f\\' ;; '%s and %d' ;; '{} {0}' ;;
  'hello world foo' ;; [1,2,3] ;; [] ;; ['b','A',none] ;; ['a','b','c','d','e'] ;; [[1,'b'],[0,'a']] ;;
  [3,1,2] ;; [1.5,2,true] ;; (1,2) ;; () ;; (1,) ;; {'a':1,'b':none} ;; {} ;; {1:2,'x':[1]} ;;
  range(3) ;; range(5,0,-2) ;; messages ;; messages[0] ;; messages[1].content ;; messages[2] ;; tools ;;
  documents ;; bos_token ;; add_generation_prompt ;; n ;; big ;; rate ;; words ;; numbers ;; mixed ;;
  table ;; d ;; text ;; html ;; empty ;; nothing ;; d.items() ;; d.keys() ;; d.values() ;; '<b>'|e ;;
  ('<i>'|e)~'&' ;; text|e ;; words|map('upper') ;; namespace(a=1) ;; dict(a=1,b='2') ;;
  messages|map(attribute='role')|list ;; nothing.foo ;; joiner() ;; cycler('a','b') ;; 2**70 ;;
  -(2**63) ;; 1/3 ;; 7//2 ;; -7//2 ;; -7%3 ;; 'a'*3 ;; [0]*3 ;; words[1:] ;; text[4:9] ;; text[::-1] ;;
  numbers[::-2]
`);
