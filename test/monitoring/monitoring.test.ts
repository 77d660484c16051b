import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { METRICS } from '../../lib/observability/metric-catalogue.ts';
import { OVERVIEW } from '../../monitoring/grafana/overview.ts';
import { withMetricsTable } from '../../monitoring/metrics-table.ts';
import { written } from '../../monitoring/written.ts';
import { noPrometheus } from '../support/prometheus.ts';

const run = promisify(execFile);
const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

const rules = read('monitoring/rules.yml');
const docs = read('docs/metrics.md');
const queries = OVERVIEW.flatMap(({ panels }) => panels).flatMap((panel) =>
  Object.values(panel.queries),
);

function found(text: string, pattern: RegExp): string[] {
  return [...new Set(Array.from(text.matchAll(pattern), ([, name = '']) => name))].sort();
}

describe('what is made from the code', () => {
  it.each(Object.entries(written()))('is in the repository as it is made: %s', (path, text) => {
    expect(readFileSync(path, 'utf8'), 'run: npm run monitoring').toBe(text);
  });

  it('needs its place in docs/metrics.md', () => {
    expect(() => withMetricsTable('# Metrics')).toThrow('docs/metrics.md lacks the lines');
  });
});

describe('docs/metrics.md', () => {
  it('tells of every metric that the dashboard and the rules ask for', () => {
    const asked = found(
      `${queries.join('\n')}\n${rules}`,
      /\b((?:errand|process|nodejs)_[a-z0-9_]+)\b(?=[{[)\s])/g,
    );
    expect(asked.length).toBeGreaterThan(25);
    const families = asked.map((name) => name.replace(/_(bucket|count|sum)$/, ''));
    expect(families.filter((name) => !docs.includes(`| \`${name}\` `))).toEqual([]);
  });

  it('has a section for every alert, and for no other', () => {
    expect(found(docs, /^### (Errand\w+)$/gm)).toEqual(found(rules, /alert: (\w+)$/gm));
  });

  it('is where the alerts lead to', () => {
    const runbooks = found(rules, /runbook: docs\/metrics\.md#(\w+)$/gm);
    const alerts = found(rules, /alert: (\w+)$/gm).map((name) => name.toLowerCase());
    expect(runbooks).toEqual(alerts.sort());
  });
});

describe('the dashboard', () => {
  it('shows every metric of the catalogue', () => {
    const shown = `${queries.join('\n')}\n${rules}`;
    expect(Object.keys(METRICS).filter((name) => !shown.includes(name))).toEqual([]);
  });
});

describe.skipIf(noPrometheus !== undefined)('promtool', () => {
  it.each([
    ['check', 'config', 'monitoring/prometheus.yml'],
    ['check', 'rules', '--lint-fatal', 'monitoring/rules.yml'],
    ['test', 'rules', 'test/monitoring/rules.test.yml'],
  ])('is content: %s %s', async (...args) => {
    const { stdout } = await run('promtool', args, { cwd: PROJECT }).catch((error) => {
      throw new Error(error.stdout + error.stderr);
    });
    expect(stdout).toContain('SUCCESS');
  });

  it('has every alert fire, in rules.test.yml', () => {
    const fired = found(read('test/monitoring/rules.test.yml'), /alertname: (\w+)$/gm);
    expect(fired).toEqual(found(rules, /alert: (\w+)$/gm));
  });
});
