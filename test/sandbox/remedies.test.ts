import { describe, expect, it } from 'vitest';
import { type Host, missingCapabilities, remedyFor } from '../../lib/sandbox/remedies.ts';

const noNamespace =
  'The sandbox launcher could not start: launcher: create user namespace: Operation not permitted';
const noProc =
  'The sandbox launcher could not start: launcher: mount /proc: Operation not permitted';
const noLandlock =
  'The sandbox launcher could not start: launcher: Landlock ABI 6 is needed (Linux 6.12): Function not implemented';

const allOfRoot = 'CapEff:\t000001ffffffffff\nSeccomp:\t0\n';
const dockersRoot = 'CapEff:\t00000000a80425fb\nSeccomp:\t2\n';
const rootWithout = 'CapEff:\t00000000000000c1\nSeccomp:\t2\n';

/** A host with the files of /proc that matter. */
function host(files: Record<string, string> = {}, more: Partial<Host> = {}): Host {
  const all: Record<string, string> = { 'self/status': allOfRoot, ...files };
  return { uid: 1000, kernel: '6.12.1-amd64', proc: (path) => all[path], ...more };
}

describe('remedyFor', () => {
  it('names the two options that Docker needs where a filter refuses namespaces', () => {
    expect(remedyFor(noNamespace, host({ 'self/status': dockersRoot }))).toContain(
      '--security-opt seccomp=native/docker-seccomp.json --security-opt systempaths=unconfined',
    );
  });

  it('names the one option that is missing where only /proc is covered', () => {
    const remedy = remedyFor(noProc, host({ 'self/status': dockersRoot }));
    expect(remedy).toContain('--security-opt systempaths=unconfined');
    expect(remedy).not.toContain('seccomp');
  });

  it('suspects the security module where mounts are denied', () => {
    const complaint = 'launcher: make mounts private: Permission denied';
    expect(remedyFor(complaint, host())).toContain('--security-opt apparmor=unconfined');
  });

  it.each([
    ['user/max_user_namespaces', '0', 'sysctl -w user.max_user_namespaces=15000'],
    ['kernel/unprivileged_userns_clone', '0', 'sysctl -w kernel.unprivileged_userns_clone=1'],
    [
      'kernel/apparmor_restrict_unprivileged_userns',
      '1',
      'sysctl -w kernel.apparmor_restrict_unprivileged_userns=0',
    ],
  ])('tells to set back %s where the host has it at %s', (name, value, command) => {
    expect(remedyFor(noNamespace, host({ [`sys/${name}`]: `${value}\n` }))).toContain(command);
  });

  it('asks for a place for temporary files first, since no tier can do without', () => {
    const complaint = "EROFS: read-only file system, mkdtemp '/tmp/errand-launcher-9RjDt8'";
    expect(remedyFor(`namespaces: ${complaint} landlock: ${complaint}`, host())).toContain(
      'TMPDIR',
    );
  });

  it('tells a root without its capabilities which ones are missing', () => {
    const root = host({ 'self/status': rootWithout }, { uid: 0 });
    expect(remedyFor('launcher: /tmp/x: Operation not permitted', root)).toMatch(
      /capabilities DAC_OVERRIDE, KILL here: run as another user/,
    );
    const user = host({ 'self/status': 'CapEff:\t0000000000000000\nSeccomp:\t2\n' });
    expect(remedyFor(noProc, user)).not.toContain('capabilities');
  });

  it.each([
    ['6.1.0-31-amd64', 'This kernel is Linux 6.1.0-31-amd64'],
    ['5.15.0', 'This kernel is Linux 5.15.0'],
    ['6.12.1', 'list of security modules'],
    ['7.0.0', 'list of security modules'],
  ])('tells what Landlock wants on Linux %s', (kernel, words) => {
    expect(remedyFor(noLandlock, host({}, { kernel }))).toContain(words);
  });

  it('speaks of namespaces first where neither tier holds', () => {
    const both = `namespaces: ${noNamespace} landlock: ${noLandlock}`;
    expect(remedyFor(both, host({ 'self/status': dockersRoot }))).toContain('docker-seccomp.json');
  });

  it('knows a platform without a launcher', () => {
    expect(remedyFor('spawn /nowhere ENOENT', host())).toContain('Linux, x64 and arm64');
  });
});

describe('missingCapabilities', () => {
  it('finds none with a root that has what Docker gives it, or with another user', () => {
    const status = { 'self/status': dockersRoot };
    expect(missingCapabilities(host(status, { uid: 0 }))).toEqual([]);
    expect(missingCapabilities(host({ 'self/status': 'CapEff:\t0000000000000000\n' }))).toEqual([]);
  });
});
