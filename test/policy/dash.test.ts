import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Executable, executablesOfShell, Unparseable } from '../../lib/policy/executables.ts';

const PROGRAMS = ['alpha', 'beta', 'gamma'];
/** What runs others: the real ones. */
const RUNNERS = ['cat', 'env', 'nice', 'timeout', 'xargs', 'sh', 'nohup', 'find', 'setsid'];

let folder: string;

/** Programs that do nothing but note that they ran. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'policy-'));
  for (const name of PROGRAMS) {
    const path = join(folder, name);
    writeFileSync(path, `#!/bin/sh\necho ${name} >> "${folder}/ran"\n`);
    chmodSync(path, 0o755);
  }
  for (const name of RUNNERS) symlinkSync(join('/usr/bin', name), join(folder, name));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The programs that `sh` really ran for a text. */
function ranBy(text: string): Set<string> {
  const log = join(folder, 'ran');
  writeFileSync(log, '');
  spawnSync('/bin/sh', ['-c', text], {
    env: { PATH: folder, X: 'alpha', E: '' },
    cwd: folder,
    input: 'one\n',
    timeout: 5000,
    // The fourth is held by what runs in the background as well, so it is waited for.
    stdio: ['pipe', 'ignore', 'ignore', 'pipe'],
  });
  return new Set(readFileSync(log, 'utf8').split('\n').filter(Boolean));
}

/** A program's name, written in one of the ways in which a shell takes it. */
const name = fc
  .constantFrom(...PROGRAMS)
  .chain((program) =>
    fc.constantFrom(
      program,
      `"${program}"`,
      `'${program}'`,
      `\\${program}`,
      `${program.slice(0, 2)}""${program.slice(2)}`,
      `${program.slice(0, 1)}'${program.slice(1)}'`,
      `${program.slice(0, 3)}\\\n${program.slice(3)}`,
      `./${program}`,
      `$'${program}'`,
      `{${program},x}`,
      `\${E}${program}`,
    ),
  );

const simple = fc
  .tuple(
    fc.constantFrom(
      '',
      '',
      'A=1 ',
      '>/dev/null ',
      '! ',
      'env ',
      'env -i PATH="$PATH" ',
      'nice ',
      'exec ',
      'command ',
      'timeout 5 ',
      'nohup ',
      'echo x | xargs ',
      'command -v ',
      'setsid -w ',
      'eval ',
      'time ',
      'E=1 eval ',
      'env --unset A ',
      'env -- A+=1 ',
      'timeout --kill-after 1 5 ',
      'nice --adjustment 5 ',
      'echo x | xargs -I% ',
    ),
    name,
    fc.constantFrom(
      '',
      ' a',
      ' "b c"',
      ' 2>&1',
      ' # x',
      ' <<Z\n$(gamma)\nZ\n',
      " <<'Z'\n$(gamma)\nZ\n",
    ),
  )
  .map((parts) => parts.join(''));

const script: fc.Arbitrary<string> = fc.letrec<{ script: string }>((tie) => ({
  script: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    simple,
    fc
      .tuple(
        tie('script'),
        fc.constantFrom(' ; ', ' && ', ' || ', ' | ', '\n', ' & '),
        tie('script'),
      )
      .map((all) => all.join('')),
    tie('script').map((inner) => `(${inner}\n)`),
    tie('script').map((inner) => `((${inner}\n))`),
    tie('script').map((inner) => `{ ${inner}\n}`),
    tie('script').map((inner) => `if true; then ${inner}\nfi`),
    tie('script').map((inner) => `for x in 1 2; do ${inner}\ndone`),
    tie('script').map((inner) => `case a in a) ${inner}\n;; esac`),
    tie('script').map((inner) => `f() { ${inner}\n}; f`),
    tie('script').map((inner) => `echo "$(${inner}\n)"`),
    tie('script').map((inner) => `A=$(${inner}\n)`),
    tie('script').map((inner) => `echo \${A:-$(${inner}\n)}`),
    tie('script').map((inner) => `sh -c '${inner.replaceAll("'", "'\\''")}'`),
    tie('script').map((inner) => `sh -c -e +x -- '${inner.replaceAll("'", "'\\''")}'`),
    tie('script').map((inner) => `eval '${inner.replaceAll("'", "'\\''")}'`),
    tie('script').map((inner) => `trap '${inner.replaceAll("'", "'\\''")}' EXIT`),
    tie('script').map((inner) => `find alpha -exec sh -c '${inner.replaceAll("'", "'\\''")}' \\;`),
    tie('script').map((inner) => `[[ a || ${inner} ]]`),
    fc.constant('$X'),
    fc.constant('eval "$X"'),
    fc.constant('alias z=beta\nz'),
  ),
})).script;

function found(text: string): readonly Executable[] | 'refused' {
  try {
    return executablesOfShell(text);
  } catch (error) {
    if (error instanceof Unparseable) return 'refused';
    throw error;
  }
}

describe('what the policy reads in a text', () => {
  it('is all that sh runs of it, or it is known not to be', { timeout: 120_000 }, () => {
    let told = 0;
    fc.assert(
      fc.property(script, (text) => {
        const executables = found(text);
        if (executables === 'refused' || executables.some(({ kind }) => kind === 'dynamic')) return;
        const names = new Set(
          executables.flatMap((one) =>
            one.kind === 'named' ? [one.name.replace(/^.*\//, '')] : [],
          ),
        );
        told += 1;
        expect([...ranBy(text)].filter((program) => !names.has(program))).toEqual([]);
      }),
      { numRuns: 2000 },
    );
    // Most texts were looked at, and not just refused.
    expect(told).toBeGreaterThan(400);
  });

  it.each([
    ['((beta))', ['beta']],
    ['[[ a || beta ]]', ['beta']],
    ['alias z=beta\nz', ['beta']],
    ['time -f x beta', []],
    ["$'beta' a", []],
    ["echo $(( '$(beta)' ))", ['beta']],
    [`cat <<E\n\${A:-'$(beta)'}\nE`, ['beta']],
    ['echo beta | sh -sc :', ['beta']],
    ['echo beta | xargs -I% sh -c "%"', ['beta']],
    ["find . -maxdepth 1 -name beta -exec sh -c '{}' ';'", ['beta']],
    ["env 'ENV=$(beta)' sh -ic :", ['beta']],
  ])('is refused where sh runs what bash would not: %s', (text, runs) => {
    expect([...ranBy(text)]).toEqual(runs);
    const executables = found(text);
    expect(executables === 'refused' || executables.some(({ kind }) => kind === 'dynamic')).toBe(
      true,
    );
  });
});
