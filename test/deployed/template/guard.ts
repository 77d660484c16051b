import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TOOLS } from '../package-once.ts';
import type { Template } from './template.ts';

const run = promisify(execFile);
const MACHINE = process.arch === 'x64' ? 'x86_64' : 'aarch64';
const SYSTEM = process.platform === 'darwin' ? 'macos' : 'ubuntu';
const GUARD = join(
  TOOLS,
  'node_modules/@cdklabs/cdk-validator-cfnguard/bin',
  SYSTEM,
  MACHINE,
  'cfn-guard',
);

/** Has cfn-guard judge a template by our rules; the names of those that it breaks. */
export async function brokenRules(template: Template): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'errand-guard-'));
  try {
    const data = join(folder, 'template.json');
    await writeFile(data, JSON.stringify(template));
    const rules = join(import.meta.dirname, 'errand.guard');
    const output = ['--structured', '--output-format', 'json', '--show-summary', 'none'];
    const { stdout } = await run(GUARD, ['validate', '--rules', rules, '--data', data, ...output], {
      maxBuffer: 2 ** 26,
    }).catch((error: { stdout: string; code: number }) => {
      if (error.code === 19) return error; // "the data does not comply"
      throw error;
    });
    const [verdict] = JSON.parse(stdout) as [
      { status: string; not_compliant: { Rule: { name: string } }[]; compliant: string[] },
    ];
    return verdict.not_compliant.map(({ Rule }) => Rule.name).sort();
  } finally {
    await rm(folder, { recursive: true });
  }
}
