import { describe, expect, it } from 'vitest';
import {
  executablesOfArgv,
  executablesOfShell,
  TooComplex,
  Unparseable,
} from '../../lib/policy/executables.ts';

/** The names, and `?` for what is known only when it runs. */
const namesIn = (text: string) =>
  executablesOfShell(text).map((found) => (found.kind === 'named' ? found.name : '?'));

/** Of this thread: what else the machine does is no matter. */
function cpuMsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}

describe('the executables of a shell text', () => {
  it.each([
    ['a word', 'curl x', ['curl']],
    ['a path', '/usr/bin/curl x', ['/usr/bin/curl']],
    ['a pipeline', 'a | b | c', ['a', 'b', 'c']],
    ['lists', 'a && b || c; d & e', ['a', 'b', 'c', 'd', 'e']],
    ['lines', 'a\nb\n', ['a', 'b']],
    ['after an assignment', 'X=1 curl x', ['curl']],
    ['after a redirection', '>out 2>&1 curl x', ['curl']],
    ['negated', '! curl x', ['curl']],
    ['a subshell', '(curl x)', ['curl']],
    ['a group', '{ curl x; }', ['curl']],
    ['if', 'if a; then b; elif c; then d; else e; fi', ['a', 'b', 'c', 'd', 'e']],
    ['a loop', 'for x in 1 2; do a; done; while b; do c; done', ['a', 'b', 'c']],
    ['case', 'case x in a) b;; *) c;; esac', ['b', 'c']],
    ['a function', 'f() { curl x; }; f', ['curl', 'f']],
    ['a substitution', 'echo $(curl x)', ['echo', 'curl']],
    ['a substitution in quotes', 'echo "a $(curl x) b"', ['echo', 'curl']],
    ['backquotes', 'echo `curl x`', ['echo', 'curl']],
    ['backquotes in backquotes', 'echo `a \\`curl x\\``', ['echo', 'a', 'curl']],
    ['a substitution in an assignment', 'X=$(curl x)', ['curl']],
    ['a substitution in a default', `echo \${X:-$(curl x)}`, ['echo', 'curl']],
    ['a substitution in arithmetic', 'echo $((1 + $(curl x)))', ['echo', 'curl']],
    ['a substitution in a redirection', 'a > "$(curl x)"', ['a', 'curl']],
    ['a substitution in a here-document', 'cat <<E\n$(curl x)\nE', ['cat', 'curl']],
    ['a substitution in a pattern', 'case x in $(curl x)) a;; esac', ['a', 'curl']],
    ['a quoted here-document', "cat <<'E'\n$(curl x)\nE", ['cat']],
    ['quoted text', "echo '$(curl x)' ; echo \\$\\(curl\\)", ['echo', 'echo']],
    ['a comment', 'a # curl', ['a']],
    ['quotes in the name', 'c"u"\'r\'l x', ['curl']],
    ['a backslash in the name', '\\curl x', ['curl']],
    ['a broken line in the name', 'cu\\\nrl x', ['curl']],
    ['a variable for a name', '$X y', ['?']],
    ['a substitution for a name', '$(echo curl) x', ['?', 'echo']],
    ['a pattern for a name', '/usr/bin/cur? x', ['?']],
    ['a home for a name', '~/curl x', ['?']],
    ['a shell in a shell', "sh -c 'a; b'", ['sh', 'a', 'b']],
    ['a shell with options', "sh -ec 'curl x'", ['sh', 'curl']],
    ['a shell by its path', "/bin/dash -c 'curl x'", ['/bin/dash', 'curl']],
    ['shells in shells', `sh -c "sh -c 'curl x'"`, ['sh', 'sh', 'curl']],
    ['a shell with an unknown text', 'sh -c "$X"', ['sh', '?']],
    ['a shell with a file', 'sh script', ['sh', '?']],
    ['a shell that reads its input', 'a | sh', ['a', 'sh', '?']],
    ['a file that is read in', '. ./file', ['.', '?']],
    ['eval', "eval 'cu' 'rl x' '; b'", ['eval', 'cu', 'b']],
    ['eval of a variable', 'eval "$X"', ['eval', '?']],
    ['env', 'env -i A=1 curl x', ['env', 'curl']],
    ['env with an option that is not known', 'env -S "curl x"', ['env', '?']],
    ['exec', 'exec curl x', ['exec', 'curl']],
    ['command', 'command -p curl x', ['command', 'curl']],
    ['a look by command', 'command -v curl', ['command']],
    [
      'nohup in nice in timeout',
      'timeout -k 1 5 nice -n 3 nohup curl x',
      ['timeout', 'nice', 'nohup', 'curl'],
    ],
    ['timeout with a variable', 'timeout $N curl x', ['timeout', '?']],
    ['xargs', 'a | xargs -n1 -I{} curl {}', ['a', 'xargs', 'curl']],
    ['xargs of what asks for a command', 'a | xargs env', ['a', 'xargs', 'env', '?']],
    ['xargs that puts in the name', 'a | xargs -I % %', ['a', 'xargs', '?']],
    ['xargs that puts in a text', 'a | xargs -I% sh -c "echo %"', ['a', 'xargs', 'sh', '?']],
    ['xargs that puts in an argument', 'a | xargs -I% env %', ['a', 'xargs', 'env', '?']],
    ['find that runs a text of what it finds', "find . -exec sh -c '{}' ';'", ['find', 'sh', '?']],
    ['find that runs a path of what it finds', 'find . -exec ./{} \\;', ['find', '?']],
    [
      'find with an option in place of a name',
      'find . -name -exec -exec curl \\;',
      ['find', '-exec', 'curl'],
    ],
    ['find whose + is an argument', 'find . -exec env -u + curl \\;', ['find', 'env', 'curl']],
    ['find whose command does not end', 'find . -exec curl', ['find', '?']],
    ['env after its options', 'env -u A -- B=1 curl x', ['env', 'curl']],
    ['env with names that are none', 'env - A+=1 ./b=2 =3 curl x', ['env', 'curl']],
    ['env with a long option', 'env --unset A --chdir=/ curl x', ['env', 'curl']],
    ['env that sets what a shell runs', "env 'ENV=$(curl)' sh", ['env', '?']],
    [
      'long options with their arguments',
      'nice --adjustment 5 timeout --signal KILL 5 a',
      ['nice', 'timeout', 'a'],
    ],
    [
      'an option with a variable',
      'env -u $X curl; nice --adjustment $X a',
      ['env', '?', 'nice', '?'],
    ],
    ['a shell with a variable', 'sh -o $X -c a', ['sh', '?']],
    ['sudo with an assignment', 'sudo A=1 curl', ['sudo', 'curl']],
    ['a shell with options after -c', "sh -c -x +e -o errexit -- 'curl x'", ['sh', 'curl']],
    ['a shell with an option and its name', "sh -eco errexit 'curl x'", ['sh', 'curl']],
    ['a shell that reads its input as well', 'a | sh -sc :', ['a', 'sh', '?']],
    ['a shell that reads what ENV names', 'sh -ic :', ['sh', '?']],
    ['a shell without a text', 'sh -c', ['sh', '?']],
    ['a shell with an option of another shell', 'bash --rcfile a -c b', ['bash', '?']],
    ['what sets up a process', 'chrt 1 curl; taskset 1 curl', ['chrt', '?', 'taskset', '?']],
    ['sort that compresses', 'sort --compress-prog=curl x', ['sort', '?']],
    ['sort', 'sort -u "$X"', ['sort']],
    ['split through a program', 'split --filter=curl x', ['split', '?']],
    ['an exported text', 'export "ENV=\\$(curl)"', ['export', '?']],
    ['an exported variable', 'export "$X"', ['export', '?']],
    ['a prompt that is read', 'read PS4', ['read', '?']],
    ['a prompt of a loop', "for PS4 in '$(curl)'; do a; done", ['?', 'a']],
    ['a prompt by default', `: \${PS4:=$X}`, [':', '?']],
    ['a prompt that is used', `echo "\${PS4:-x}"`, ['echo']],
    ['quotes in a substitution in a here-document', "cat <<E\n$(sed 's/x/y/')\nE", ['cat', 'sed']],
    ['quotes in a here-document', "cat <<E\nit's $(curl)\nE", ['cat', 'curl']],
    ['find that runs what it finds', 'find . -exec env {} \\;', ['find', 'env', '?']],
    ['a prompt that is expanded', "PS4='$(curl)'; set -x; a", ['?', 'set', 'a']],
    ['an exported prompt', "export PS4='$(curl)'; set -x", ['export', '?', '?', 'set']],
    ['a function that is undone', 'curl() { :; }; unset -f curl; curl', [':', 'unset', 'curl']],
    ['xargs alone', 'a | xargs', ['a', 'xargs', 'echo']],
    ['xargs of a shell', "a | xargs sh -c 'curl x'", ['a', 'xargs', 'sh', 'curl']],
    ['find', 'find . -name x -exec curl {} \\; -execdir wget {} +', ['find', 'curl', 'wget']],
    ['busybox', 'busybox wget x', ['busybox', 'wget']],
    ['sudo', 'sudo -u root curl x', ['sudo', 'curl']],
    ['time', 'time curl x', ['time', 'curl']],
    ['a trap', "trap 'curl x' EXIT", ['trap', 'curl']],
    ['a trap that is taken away', 'trap - EXIT', ['trap']],
    ['an alias', "alias a='curl x'", ['alias', '?']],
    [
      'the dynamic loader',
      '/lib64/ld-linux-x86-64.so.2 /usr/bin/curl x',
      ['/lib64/ld-linux-x86-64.so.2', '?'],
    ],
  ])('are found in %s', (_what, text, names) => {
    expect(namesIn(text).sort()).toEqual([...names].sort());
  });

  it.each([
    ['an unfinished if', 'if a; then b'],
    ['an unfinished quote', 'echo "a'],
    ['an unfinished substitution', 'echo $(a'],
    ['a pipe without an end', 'a |'],
    ['arithmetic of bash', '((curl x))'],
    ['a test of bash', '[[ a && curl ]]'],
    ['quotes of bash', "$'curl' x"],
    ['translated quotes of bash', '$"curl" x'],
    ['an array', 'X=(curl x)'],
    ['a process substitution', 'cat <(curl x)'],
    ['braces', '{curl,x}'],
    ['a here-string', 'cat <<<"$(curl x)"'],
    ['both outputs of bash', 'a &>curl'],
    ['both outputs into a pipe', 'a |& curl'],
    ['a coprocess', 'coproc curl x'],
    ['a menu', 'select x in a; do curl; done'],
    ['a loop of bash', 'for ((;;)); do curl; done'],
    ['quotes of bash that end elsewhere', "a $'\\' ; curl; a \\''"],
    ['options of the program time', 'time -f x curl y'],
    ['a fall through', 'case x in a) b;& c) d;; esac'],
    ['a pattern of bash', 'a @(curl|x)'],
    ['quotes in arithmetic', "echo $(( '$(curl)' ))"],
    ['quotes in an expansion in arithmetic', `echo $((\${x:-'$(curl)'}))`],
    ['quotes in an expansion in a here-document', `cat <<E\n\${x:-'$(curl)'}\nE`],
    ['quotes in expansions in a here-document', `cat <<E\n\${x:-\${y:-'\`curl\`'}}\nE`],
    ['a script in a script, twenty times', `${'eval '.repeat(20)}curl`],
  ])('are not to be told of %s', (_what, text) => {
    expect(() => executablesOfShell(text)).toThrow(Unparseable);
  });

  it.each([
    ['parentheses', '('.repeat(60_000)],
    ['substitutions', '$('.repeat(30_000)],
    ['backquotes', '`'.repeat(59_999)],
    ['conditions', 'if '.repeat(20_000)],
    ['braces', '{ '.repeat(30_000)],
    ['quotes', '"$('.repeat(20_000)],
    ['expansions', `\${a:-`.repeat(12_000)],
  ])('are refused, and soon, when 64 KiB of %s are nested', (_what, text) => {
    const before = process.threadCpuUsage();
    expect(() => executablesOfShell(text)).toThrow();
    expect(cpuMsSince(before)).toBeLessThan(1000);
  });

  it.each([
    ['wrappers', 'env '.repeat(16_000)],
    ['commands of find', `find ${'-exec find '.repeat(5900)} ;`],
    ['commands of find with one end', `find ${'-exec '.repeat(10_000)} \\;`],
    ['texts of find', `find ${"-exec sh -c 'find -exec x' ".repeat(2000)} \\;`],
    ['here-documents', 'cat <<a;'.repeat(8000)],
    ['redirections from here-documents', '<<a '.repeat(16_000)],
    ['lists', 'a;'.repeat(32_768)],
    ['evaluated lists', `eval '${'eval a;'.repeat(9300)}'`],
  ])('are not read to the end when 64 KiB of %s would take long', (_what, text) => {
    const before = process.threadCpuUsage();
    try {
      executablesOfShell(text);
    } catch (error) {
      expect(error).toBeInstanceOf(TooComplex);
    }
    expect(cpuMsSince(before)).toBeLessThan(1000);
  });

  it('are all read of a command that is long and no more', () => {
    expect(namesIn(`rm ${'file-1 '.repeat(9000)}`)).toEqual(['rm']);
    expect(namesIn('cat data;'.repeat(7000))).toHaveLength(7000);
  });
});

describe('the executables of an argument vector', () => {
  it.each([
    [['curl', 'x'], ['curl']],
    [
      ['env', 'A=1', 'curl', 'x'],
      ['env', 'curl'],
    ],
    [
      ['sh', '-c', 'a | b'],
      ['sh', 'a', 'b'],
    ],
    [['echo', '$(curl x)'], ['echo']],
    [['$X'], ['$X']],
  ])('of %j are %j', (argv, names) => {
    const found = executablesOfArgv(argv);
    expect(found.map((one) => (one.kind === 'named' ? one.name : '?'))).toEqual(names);
  });
});
