import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCheckCommand } from '../../lib/policy/check-command.ts';
import { readPolicy } from '../../lib/policy/policy-file.ts';

const EXAMPLE = join(import.meta.dirname, '../../docs/command-policy.json');

const shell = (command: string, env: Record<string, string> = {}) => ({
  program: { kind: 'shell', command } as const,
  env,
});
const direct = (...argv: string[]) => ({ program: { kind: 'argv', argv } as const, env: {} });
const checkBy = (policy: object) => makeCheckCommand(readPolicy(JSON.stringify(policy)));

describe('a command policy', () => {
  const rules = [
    { name: 'no-net', deny: ['curl', 'nc*'] },
    { name: 'tools', allow: ['make', '/opt/tools/*', 'g[c]c'] },
  ];

  it.each([
    ['make all', undefined],
    ['gcc x', undefined],
    ['/opt/tools/x y', undefined],
    ['cd x && echo y > z', undefined],
    ['curl x', 'no-net'],
    ['/usr/bin/curl x', 'no-net'],
    ['./curl x', 'no-net'],
    ['netcat x', 'default'],
    ['ncat x', 'no-net'],
    ['./make all', 'default'],
    ['/opt/tools/../curl x', 'no-net'],
    ['/opt/tools/a/b', 'default'],
    ['ls', 'default'],
    ['$X', 'dynamic'],
    ['if', 'unparseable'],
    ['make; ls', 'default'],
  ])('that denies by default says of %j: %s', async (command, rule) => {
    const refusal = await checkBy({ default: 'deny', rules })(shell(command));
    expect(refusal?.rule).toBe(rule);
  });

  it.each([
    ['ls', undefined],
    ['$X', undefined],
    ['curl x', 'no-net'],
    ['if', 'unparseable'],
  ])('that allows by default says of %j: %s', async (command, rule) => {
    const refusal = await checkBy({ default: 'allow', rules })(shell(command));
    expect(refusal?.rule).toBe(rule);
  });

  it('lets the first rule decide that knows an executable', async () => {
    const first = { name: 'first', allow: ['curl'] };
    const check = checkBy({ default: 'deny', rules: [first, ...rules] });
    expect(await check(shell('curl x'))).toBeUndefined();
    expect(await check(shell('/usr/bin/curl x'))).toMatchObject({ rule: 'no-net' });
  });

  it('decides on what is not known by its own field', async () => {
    const check = checkBy({ default: 'allow', dynamic: 'deny' });
    expect(await check(shell('$X y'))).toEqual({
      rule: 'dynamic',
      executable: '$X',
      reason:
        '"$X" is known only once it runs, and so not allowed by the rule "dynamic" of the command policy.',
    });
  });

  it('can deny what the shell does by itself', async () => {
    const check = checkBy({ default: 'deny', rules: [{ name: 'no-echo', deny: ['echo'] }] });
    expect(await check(shell('echo x'))).toMatchObject({ rule: 'no-echo' });
  });

  it('holds arguments without a shell against the same rules', async () => {
    const check = checkBy({ default: 'deny', rules });
    expect(await check(direct('make', 'curl'))).toBeUndefined();
    expect(await check(direct('env', 'curl'))).toMatchObject({ rule: 'default' });
    expect(await check(direct('curl'))).toMatchObject({ rule: 'no-net' });
  });

  it('counts the bytes of a command, and of arguments with the spaces between', async () => {
    const check = checkBy({ default: 'allow', maxLength: 8 });
    expect(await check(shell('ls äöü'))).toMatchObject({ rule: 'max-length', executable: null });
    expect(await check(direct('ls', '12345'))).toBeUndefined();
    expect(await check(direct('ls', '123456'))).toMatchObject({
      reason: 'The command has 9 bytes; the command policy allows 8.',
    });
  });

  it('refuses nesting that uses up the stack', async () => {
    const check = checkBy({ default: 'allow' });
    for (const command of ['{ '.repeat(30_000), '$('.repeat(30_000)]) {
      expect((await check(shell(command)))?.rule).toMatch(/^(unparseable|too-complex)$/);
    }
    expect(await check(shell(`echo $((${'1+'.repeat(30_000)}1))`))).toMatchObject({
      rule: 'too-complex',
    });
  });

  it('says when a command is too much to be read', async () => {
    const check = checkBy({ default: 'allow' });
    expect(await check(shell('cat <<a;'.repeat(8000)))).toEqual({
      rule: 'too-complex',
      executable: null,
      reason:
        'The command policy cannot tell what this command runs: it has more than 1000 here-documents.',
    });
    expect(await check(shell('env '.repeat(16_000)))).toMatchObject({
      rule: 'too-complex',
      reason: expect.stringContaining('it has more than 100000 parts'),
    });
  });

  it('holds up nobody else while it reads a batch', async () => {
    const check = checkBy({ default: 'allow' });
    await check(shell('ls'));
    let turns = 0;
    const other = setInterval(() => {
      turns += 1;
    }, 0);
    for (let n = 0; n < 20; n++) await check(shell('ls a;'.repeat(1000)));
    clearInterval(other);
    expect(turns).toBeGreaterThan(5);
  });

  it('counts what a shell runs of its environment as known only once it runs', async () => {
    const check = checkBy({ default: 'deny', rules: [{ name: 'shells', allow: ['sh'] }] });
    expect(await check(shell('echo x', { ENV: '$(curl)' }))).toMatchObject({
      rule: 'dynamic',
      executable: 'ENV=$(curl)',
    });
    expect(await check(shell('echo x', { HOME: '$(curl)' }))).toBeUndefined();
  });

  it('shows the beginning of a long name', async () => {
    const check = checkBy({ default: 'deny' });
    expect((await check(shell('x'.repeat(5000))))?.executable).toBe('x'.repeat(200));
  });

  it('is in the documentation as it is used there', async () => {
    const check = makeCheckCommand(readPolicy(EXAMPLE));
    expect(await check(shell('sort < data | curl http://example.com'))).toMatchObject({
      rule: 'no-network-tools',
      executable: 'curl',
      reason: '"curl" is not allowed by the rule "no-network-tools" of the command policy.',
    });
    expect(await check(shell('sort data | uniq -c'))).toBeUndefined();
  });
});

describe('a policy file', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'policy-file-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each([
    ['{}', 'default must be "allow" or "deny"'],
    ['[]', 'it must be an object'],
    ['{"default": "deny", "rule": []}', 'rule is not a known field'],
    ['{"default": "deny", "maxLength": 0}', 'maxLength must be at least 1'],
    [
      '{"default": "deny", "rules": [{"name": "a"}]}',
      'rules.0 must have one of "allow" and "deny"',
    ],
    [
      '{"default": "deny", "rules": [{"name": "a", "allow": ["x"], "deny": ["y"]}]}',
      'rules.0 must have one of "allow" and "deny"',
    ],
    [
      '{"default": "deny", "rules": [{"name": "a b", "allow": ["x"]}]}',
      'rules.0.name must be 1 to 64',
    ],
    [
      '{"default": "deny", "rules": [{"name": "a", "allow": []}]}',
      'rules.0.allow must not be empty',
    ],
    ['{"default": "deny", "rules": [{"name": "a", "allow": "x"}]}', 'rules.0.allow must be a list'],
    ['{"default": ', 'cannot be read: Unexpected end of JSON input'],
  ])('that holds %s is refused, with the reason', (text, complaint) => {
    const path = join(folder, 'policy.json');
    writeFileSync(path, text);
    expect(() => readPolicy(path)).toThrow(complaint);
    expect(() => readPolicy(path)).toThrow(path);
  });

  it('that is not there is refused', () => {
    expect(() => readPolicy(join(folder, 'none.json'))).toThrow('cannot be read: ENOENT');
  });
});
