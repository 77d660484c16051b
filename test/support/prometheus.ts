import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { dyingWithParent } from '../../dev/parent-death.ts';
import { freePort } from '../../dev/ports.ts';
import { eventually } from './eventually.ts';

const RULES = fileURLToPath(new URL('../../monitoring/rules.yml', import.meta.url));
const STARTS_WITHIN_MS = 30_000;

/**
 * Why there is no Prometheus here; undefined when there is. What a developer may lack must not be
 * missing where it is decided whether a change lands.
 */
export const noPrometheus = lacking(['prometheus', 'promtool']);

function lacking(programs: readonly string[]): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const missing = programs.filter(
    (program) => !folders.some((folder) => existsSync(join(folder, program))),
  );
  if (missing.length === 0) return undefined;
  const reason = 'What is in monitoring/ is not run: install prometheus (Debian has a package).';
  if (process.env.CI) throw new Error(reason);
  console.warn(reason);
  return reason;
}

/** A series as of now. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Rule {
  readonly name: string;
  readonly query: string;
  readonly type: 'alerting' | 'recording';
  readonly health: string;
  readonly lastError?: string;
}

export interface Target {
  readonly health: string;
  readonly lastError: string;
}

/** A Prometheus of a test's own, with the rules of the repository, that scrapes each second. */
export interface Prometheus {
  /** @throws when it is no query */
  query(expr: string): Promise<readonly Sample[]>;
  rules(): Promise<readonly Rule[]>;
  targets(): Promise<readonly Target[]>;
  close(): Promise<void>;
}

/** With the key in this file, which may be written later. */
export async function startPrometheus(address: string, keyFile: string): Promise<Prometheus> {
  const directory = await mkdtemp(join(tmpdir(), 'errand-prometheus-'));
  const config = {
    global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
    rule_files: [RULES],
    scrape_configs: [
      {
        job_name: 'errand',
        authorization: { credentials_file: keyFile },
        static_configs: [{ targets: [address] }],
      },
    ],
  };
  // JSON is YAML.
  await writeFile(join(directory, 'prometheus.yml'), JSON.stringify(config));
  const url = `127.0.0.1:${await freePort(undefined)}`;
  const child = launch(directory, url);
  let output = '';
  child.stderr?.on('data', (bytes: Buffer) => {
    output = (output + bytes).slice(-4000);
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));

  async function close(): Promise<void> {
    child.kill('SIGKILL'); // It would write down what nobody wants.
    await ended;
    await rm(directory, { recursive: true, force: true });
  }
  async function ask<Data>(path: string, form = {}): Promise<Data> {
    const body = new URLSearchParams(form);
    const init = path === 'query' ? { method: 'POST', body } : {};
    const response = await fetch(`http://${url}/api/v1/${path}`, init);
    const { data, error } = (await response.json()) as { data: Data; error?: string };
    if (!response.ok) throw new Error(`${error}: ${JSON.stringify(form)}`);
    return data;
  }

  try {
    await eventually(async () => {
      if (child.exitCode !== null) throw new Error(output);
      const { status } = await fetch(`http://${url}/-/ready`);
      if (status !== 200) throw new Error(`not ready: ${output}`);
    }, STARTS_WITHIN_MS);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    close,
    async query(expr) {
      type Result = readonly { metric: Sample['metric']; value: [number, string] }[];
      const { result } = await ask<{ result: Result }>('query', { query: expr });
      return result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
    },
    async rules() {
      const { groups } = await ask<{ groups: readonly { rules: readonly Rule[] }[] }>('rules');
      return groups.flatMap(({ rules }) => rules);
    },
    async targets() {
      return (await ask<{ activeTargets: readonly Target[] }>('targets')).activeTargets;
    },
  };
}

function launch(directory: string, address: string): ChildProcess {
  const [file = '', ...args] = [
    ...dyingWithParent('SIGKILL'),
    'prometheus',
    `--config.file=${join(directory, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(directory, 'data')}`,
    `--web.listen-address=${address}`,
  ];
  return spawn(file, args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
