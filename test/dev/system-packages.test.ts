import { chmod, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ensureBubblewrap } from '../../dev/system-packages.ts';

const BWRAP = 'echo bubblewrap 0.9.0';

describe.runIf(process.platform === 'linux')('ensureBubblewrap', () => {
  let bin: string;
  let said: string[];

  /** A machine that has these programs and no others. */
  beforeEach(async () => {
    bin = await mkdtemp(join(tmpdir(), 'errand-bin-'));
    await symlink('/bin/sh', join(bin, 'sh'));
    vi.stubEnv('PATH', bin);
    said = [];
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await rm(bin, { recursive: true });
  });

  async function has(program: string, script: string) {
    await writeFile(
      join(bin, program),
      `#!/bin/sh\necho "${program} $*" >> ${bin}/calls\n${script}\n`,
    );
    await chmod(join(bin, program), 0o755);
  }
  const calls = async () => (await readFile(join(bin, 'calls'), 'utf8')).trim().split('\n');
  const ensure = (isRoot: boolean) => ensureBubblewrap((message) => said.push(message), isRoot);
  /** What a package manager does that brings bwrap. */
  const brings = () =>
    `echo '#!/bin/sh' > ${bin}/bwrap; echo '${BWRAP}' >> ${bin}/bwrap; /bin/chmod 755 ${bin}/bwrap`;
  const aptGet = (install: string) =>
    has('apt-get', `case "$1" in install) ${install};; update) : > ${bin}/lists;; esac`);

  it('finds it', async () => {
    await has('bwrap', BWRAP);
    expect(await ensure(true)).toEqual({ kind: 'found', version: 'bubblewrap 0.9.0' });
    expect(said).toEqual([]);
  });

  it('installs it as root, and says so', async () => {
    await aptGet(brings());
    expect(await ensure(true)).toEqual({ kind: 'installed', version: 'bubblewrap 0.9.0' });
    expect(said).toEqual([
      'installing bubblewrap, which isolates the commands: ' +
        'apt-get install --yes --no-install-recommends bubblewrap',
    ]);
  });

  it('fetches the package lists when it cannot be installed without', async () => {
    await aptGet(`[ -e ${bin}/lists ] || exit 100; ${brings()}`);
    expect(await ensure(true)).toMatchObject({ kind: 'installed' });
    expect((await calls()).slice(-3)).toEqual([
      'apt-get install --yes --no-install-recommends bubblewrap',
      'apt-get update',
      'apt-get install --yes --no-install-recommends bubblewrap',
    ]);
  });

  it('installs it through a sudo that asks for no password', async () => {
    await aptGet(brings());
    await has('sudo', 'shift; [ "$1" = true ] || exec "$@"');
    expect(await ensure(false)).toMatchObject({ kind: 'installed' });
    expect(await calls()).toContain(
      'sudo -n apt-get install --yes --no-install-recommends bubblewrap',
    );
  });

  it('gives the command instead of asking for a password', async () => {
    await has('dnf', '');
    await has('sudo', 'exit 1');
    expect(await ensure(false)).toEqual({
      kind: 'missing',
      advice: 'install it: sudo dnf install --assumeyes bubblewrap',
    });
  });

  it('tells why an installation failed, and goes on', async () => {
    await has('apk', '[ "$1" = --version ] || { echo "no network" >&2; exit 1; }');
    expect(await ensure(true)).toEqual({
      kind: 'missing',
      advice: 'the installation failed (no network); try: apk add bubblewrap',
    });
  });

  it('names the package where it knows no package manager', async () => {
    expect(await ensure(true)).toEqual({
      kind: 'missing',
      advice: 'install the package bubblewrap',
    });
  });
});
